"""Every own reader with a small good file for it, for the fuzzer and the corpus."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

GOLDEN = Path(__file__).resolve().parents[1] / "data/golden/decoder"
Make = Callable[[Path], None]
Read = Callable[[Path], object]


@dataclass(frozen=True)
class Reader:
    """One reader: `make` writes good files to a folder, `files` are those that are damaged.

    `files` gives the format of each by its path; `read` uses everything that it reads.
    """

    name: str
    make: Make
    files: dict[str, tuple[str, ...]]
    read: Read


READERS: dict[str, Reader] = {}


def reader(make: Make, **files: str) -> Callable[[Read], Read]:
    """Declare a reader of the files of `make`; `name__ext="csv json"` stands for name.ext."""

    def declare(read: Read) -> Read:
        forms = {
            key.replace("__", ".").replace("_S_", "/"): tuple(value.split())
            for key, value in files.items()
        }
        READERS[read.__name__] = Reader(read.__name__, make, forms, read)
        return read

    return declare


def path_of(key: str) -> str:
    """`a_S_b__csv` is a/b.csv."""
    return key.replace("__", ".").replace("_S_", "/")


def write(**texts: str) -> Make:
    """Files with these texts."""

    def make(folder: Path) -> None:
        for key, text in texts.items():
            path = folder / path_of(key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return make


# Tables.

UNITS = "model,layer,unit,side\nnet,conv1,0,train\nnet,conv1,1,test\n"
TRUTH = "layer,unit,concept,tier,coverage,support,specific,accept\na,0,red,color,0.5,3,1,red|reds\n"
SCORES = "method,metric,value,low,high,n,clusters,p\na,bleu,0.5,0.1,,12,3,0.5\na,acc,,,,0,0,\n"
TEXTS = "layer,unit,description,side\na,0,a dog,test\na,1,a cat,train\n"


@reader(write(t__csv=TEXTS), t__csv="csv")
def descriptions(folder: Path) -> object:
    from milan_core.scoring.tables import read_descriptions, read_methods

    try:
        read_methods(folder / "t.csv")
    except ValueError as error:
        _user(error)
    return read_descriptions(folder / "t.csv", side="test")


def _user(error: ValueError) -> None:
    from milan_core.core.errors import UserError

    if not isinstance(error, UserError):
        raise error


@reader(write(t__csv=TRUTH), t__csv="csv")
def truth(folder: Path) -> object:
    from milan_core.scoring.tables import read_truth

    return read_truth(folder / "t.csv")


@reader(write(t__csv=SCORES), t__csv="csv")
def scores(folder: Path) -> object:
    from milan_core.scoring.tables import read_scores

    return read_scores(folder / "t.csv")


@reader(write(t__csv=UNITS), t__csv="csv")
def training_units(folder: Path) -> object:
    from milan_core.scoring.tables import read_units

    return read_units(folder / "t.csv")


@reader(write(t__csv="layer,unit,summary,annotator\na,0,a dog,x\na,0,dogs,y\n"), t__csv="csv")
def annotations(folder: Path) -> object:
    from milan_core.scoring.external import read_known

    return read_known([folder / "t.csv"], 2)


@reader(write(t__csv="id,answer\nab,yes\ncd,no\n"), t__csv="csv")
def answers(folder: Path) -> object:
    from milan_core.experiments.audit.review import read_answers

    return read_answers(folder / "t.csv")


@reader(write(t__json='{"ab": "yes", "cd": "no"}'), t__json="json")
def answers_json(folder: Path) -> object:
    from milan_core.experiments.audit.review import read_answers

    return read_answers(folder / "t.json")


@reader(write(tally_conv1__csv="unit,label\n0,(a OR b)\n1,c\n", x__txt=""), tally_conv1__csv="csv")
def published_compexp(folder: Path) -> object:
    from milan_core.describers.published import read_published

    return read_published("compexp", folder, ["conv1"])


NETDISSECT = {"units": [{"unit": 0, "label": "dog-s"}, {"unit": 1, "label": "cat"}]}


@reader(
    write(**{"a-netpqc-conv1-10_S_report__json": json.dumps(NETDISSECT)}),
    **{"a-netpqc-conv1-10_S_report__json": "json"},
)
def published_netdissect(folder: Path) -> object:
    from milan_core.describers.published import read_published

    return read_published("netdissect", folder, ["conv1"])


@reader(write(words__txt="dog 12\ncat 5\nbird\n"), words__txt="text")
def spelling(folder: Path) -> object:
    from milan_core.annotations.crowd.spelling import FrequencySpeller

    return FrequencySpeller.load(folder / "words.txt").correct("dag")


@reader(write(words__txt="dog\ncat\nbird\n"), words__txt="text")
def word_list(folder: Path) -> object:
    from milan_core.describers.clip_dissect import read_words

    return read_words(folder / "words.txt")


@reader(
    write(l__txt="a.jpg 1\nb.jpg 0\n", s__txt="n01 dog\nn02 cat\n"), l__txt="text", s__txt="text"
)
def class_lists(folder: Path) -> object:
    from milan_core.images.kinds.truth_lists import read_truth

    return read_truth(folder / "l.txt", ["a.jpg", "b.jpg"], [folder / "s.txt"])


@reader(write(l__csv="ImageId,PredictionString\na,n01 1 2 3 4\nb,n02 1 2 3 4\n"), l__csv="csv")
def class_table(folder: Path) -> object:
    from milan_core.images.kinds.truth_lists import read_truth

    return read_truth(folder / "l.csv", ["a.jpg", "b.jpg"], [])


# YAML and JSON.

CONFIG = """models: [a]
corpus: [a, b]
dataset_zoo:
  d: {kind: shapes, options: {count: 10, label: object}, seed: 3}
model_zoo:
  a:
    factory: milan_core.networks.minis.cnn:resnet_mini
    kwargs: {classes: 12, widths: [12, 16, 24]}
    weights: {source: train, dataset: d, tests: [d], epochs: 1}
    input: {size: 64, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]}
    layers: ["blocks.*"]
    dataset: d
  b: {extends: a}
encoder: {model: a, layers: [blocks.1]}
exemplars: {k: 15, quantile: 0.99, shards: 2}
generalization: {seeds: [0], bootstrap: 100}
"""


@reader(write(c__yaml=CONFIG), c__yaml="yaml")
def configuration(folder: Path) -> object:
    from milan_core.cli.config import load
    from milan_core.plan.checks import parse_config

    return parse_config(load([folder / "c.yaml"]))


ENTRY = (
    "net:\n  factory: torchvision.models:resnet18\n  kwargs: {num_classes: 3}\n  layers: [layer1]\n"
)


@reader(write(e__yaml=ENTRY), e__yaml="yaml")
def network_entry(folder: Path) -> object:
    from milan_core.cli.own_network import _read_entry

    return _read_entry(folder / "e.yaml")


QUESTIONS = """title: a
description: b
keywords: [x]
questions:
  - text: Which?
    answers: [{text: a, correct: true}, {text: b}]
"""


@reader(write(q__yaml=QUESTIONS), q__yaml="yaml")
def qualification(folder: Path) -> object:
    from milan_core.annotations.crowd.qualification import (
        answer_key,
        question_form,
        read_qualification,
    )

    test = read_qualification(folder / "q.yaml")
    return question_form(test), answer_key(test)


@reader(write(r__yaml="w1: [a dog, cats]\nw2: {x: y, z: null}\n"), r__yaml="yaml")
def worker_rules(folder: Path) -> object:
    from milan_core.annotations.crowd.cleaning import read_worker_rules

    return read_worker_rules(folder / "r.yaml")


@reader(write(r__yaml="a: b\n"), r__yaml="yaml")
def yaml_file(folder: Path) -> object:
    from milan_core.core.yaml_files import load_yaml

    return load_yaml(folder / "r.yaml")


def make_records(folder: Path) -> None:
    from milan_core.core.records import write_record

    (folder / "a.csv").write_text("x\n1\n")
    write_record(
        folder / "provenance.json", "toy", {}, [folder / "a.csv"], {"k": 1}, "c0", {"n": 1}
    )


@reader(make_records, provenance__json="json")
def records(folder: Path) -> object:
    from milan_core.core.records import check_inputs, find_record, lost_files, verify

    lost_files(folder)
    verify(folder)
    find_record(folder / "a.csv")
    return check_inputs([folder, folder / "a.csv"])


@reader(write(**{"_x__json": '[{"wall": 3.5, "cpu": 2.0}]'}), **{"_x__json": "json"})
def attempts(folder: Path) -> object:
    from milan_core.core.attempts import Attempts

    with Attempts(folder / "_x.json") as notes:
        return notes.summary()


def make_section(folder: Path) -> None:
    from milan_core.core.section import Column, Link, Picture, Section, Table, write_section

    (folder / "t.csv").write_text("a,b,l,h\n1,x,0,2\n")
    (folder / "p.svg").write_text("<svg/>")
    columns = [Column("a", "A", "number", 1, "l", "h"), Column("b", "B")]
    items = [Table("t.csv", "T", columns), Picture("p.svg", "P"), Link("t.csv", "L")]
    write_section(folder / "section.json", Section("s", "S", 3, ["p"], items))


@reader(make_section, section__json="json", t__csv="csv")
def section(folder: Path) -> object:
    from milan_core.core.section import read_section

    return read_section(folder / "section.json")


EDIT = {
    "format": 2, "model": "m", "group": "", "before": {
        s: {"value": 0.5, "low": 0.4, "high": 0.6}
        for s in ("test-clean", "test-correct", "test-adversarial")
    }, "conditions": {}, "text_less": {},
}  # fmt: skip


@reader(write(r__json=json.dumps(EDIT)), r__json="json")
def editing_result(folder: Path) -> object:
    from milan_core.experiments.edit.tables import read_result, summarize, summary_rows

    result = read_result(folder / "r.json")
    return summarize([result]), summary_rows([result])


@reader(write(o__json='{"k": 15, "quantile": 0.99, "mode": "top", "bands": 3}'), o__json="json")
def step_options(folder: Path) -> object:
    from milan_core.cli.step import _value
    from milan_core.core.step import find_step, step_fields

    for field in step_fields(find_step("exemplars.scan")):
        if field.role == "option" and field.name == "options":
            return _value(field, f"@{folder / 'o.json'}")
    return None


@reader(write(o__json='{"a": [1, 2.5, "x"]}'), o__json="json")
def command_line_json(folder: Path) -> object:
    import argparse

    from milan_core.cli.common import json_value

    try:
        return json_value(f"@{folder / 'o.json'}")
    except argparse.ArgumentTypeError:
        return None


# Arrays.


def make_npy(folder: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(folder / "images.npy", rng.integers(0, 256, (3, 8, 8, 3), dtype=np.uint8))
    np.save(folder / "labels.npy", np.array([0, 1, -1]))


@reader(make_npy, images__npy="npy", labels__npy="npy")
def arrays(folder: Path) -> object:
    from milan_core.core.options import parse
    from milan_core.images.spec import DatasetSpec

    options = {"path": str(folder / "images.npy"), "labels": str(folder / "labels.npy")}
    spec = parse(DatasetSpec, {"kind": "arrays", "options": options}, "d")
    return spec.build("d", folder / "out", {}, 1)


@reader(make_npy, images__npy="npy")
def npy_file(folder: Path) -> object:
    from milan_core.annotations.mapped import MappedArray, Residency
    from milan_core.core.files import read_npy

    try:
        MappedArray(folder / "images.npy", Residency()).row(0).sum()
    except ValueError as error:
        _user(error)
    try:
        read_npy(folder / "images.npy", mmap=True)
    except ValueError as error:
        _user(error)
    return read_npy(folder / "images.npy")


@reader(make_npy, labels__npy="npy")
def directions_npy(folder: Path) -> object:
    from milan_core.networks.directions import _npy

    return _npy(folder / "labels.npy")


def make_dataset(folder: Path) -> None:
    from milan_core.core.options import parse
    from milan_core.images.spec import DatasetSpec

    raw = {"kind": "shapes", "options": {"count": 3, "label": "object"}, "seed": 1}
    parse(DatasetSpec, raw, "d").build("d", folder / "d", {}, 1)


@reader(
    make_dataset,
    d_S_manifest__json="json",
    d_S_images__npy="npy",
    d_S_labels__npy="npy",
    d_S_instances__npy="npy",
    d_S_scenes__json="json",
    d_S_ids__csv="csv",
)
def dataset(folder: Path) -> object:
    from milan_core.images.store import open_dataset

    data = open_dataset(folder / "d")
    data.verify()
    return data.fingerprint, data.world_kind, data.scenes, data.names, repr(data), len(data)


# Tensor files.


def make_exemplars(folder: Path) -> None:
    from ops.fuzz_state import mining_state

    from milan_core.exemplars.store import ExemplarSet

    mining_state(2).save(folder / "shard.safetensors")
    ExemplarSet.from_state(mining_state(1)).save(folder / "set.safetensors")


@reader(make_exemplars, set__safetensors="safetensors sealed")
def exemplars(folder: Path) -> object:
    from milan_core.exemplars.store import load_exemplars

    found = load_exemplars(folder / "set.safetensors")
    for name in found.layers:
        found.masks(name, 8)
        found.ids(name)
    return found.units


@reader(make_exemplars, shard__safetensors="safetensors sealed")
def exemplar_shard(folder: Path) -> object:
    from milan_core.exemplars.store import load_exemplars

    return load_exemplars(folder / "shard.safetensors").units


def make_legacy(folder: Path) -> None:
    from ops.fuzz_state import mining_state

    from milan_core.exemplars.store import ExemplarSet

    ExemplarSet.from_state(mining_state(1)).export_legacy(folder / "l", size=8)


@reader(
    make_legacy, l_S_a_S_ids__csv="csv", l_S_a_S_activations__csv="csv", l_S_a_S_masks__npy="npy"
)
def published_exemplars(folder: Path) -> object:
    from milan_core.exemplars.published_import import import_legacy

    return import_legacy(folder / "l", ["a"]).units


def make_features(folder: Path) -> None:
    from milan_core.captioner.features.store import FeatureTable

    array = np.arange(24, dtype=np.float16).reshape(3, 2, 4)
    table = FeatureTable({"exact": array, "whole": array}, [("a", 2), ("b", 1)], {"encoder": "e"})
    table.save(folder / "f.safetensors")


@reader(make_features, f__safetensors="safetensors sealed")
def features(folder: Path) -> object:
    from milan_core.captioner.features.store import load_features

    table = load_features(folder / "f.safetensors")
    return table.rows, {name: array.sum() for name, array in table.arrays.items()}


def make_beams(folder: Path) -> None:
    from milan_core.core.tensors import save_tensors

    meta = {"layers": ["a", "a"], "units": [0, 1], "captions": [["x", "y"], ["z", "w"]]}
    logs = np.zeros((2, 2), np.float32)
    save_tensors(folder / "b.safetensors", "milan-beams", 1, {"logp": logs, "logp_lm": logs}, meta)


@reader(make_beams, b__safetensors="safetensors sealed")
def beams(folder: Path) -> object:
    from milan_core.scoring.beams import read_beams

    return read_beams(folder / "b.safetensors").rerank(0.2)


def make_concepts(folder: Path) -> None:
    from milan_core.describers.concepts import ConceptMasks

    images = [
        (np.array([0, 1]), np.ones((2, 8, 8), bool)),
        (np.array([1]), np.ones((1, 8, 8), bool)),
    ]
    masks = ConceptMasks.collect(["a", "b"], ["x", "y"], images, 8, dataset="d", source="s")
    masks.save(folder / "c.safetensors")


@reader(make_concepts, c__safetensors="safetensors sealed")
def concepts(folder: Path) -> object:
    from milan_core.describers.concepts import ConceptMasks

    return ConceptMasks.load(folder / "c.safetensors")


def make_maps(folder: Path) -> None:
    np.save(folder / "level0.npy", np.zeros((2, 3, 2, 2), np.float16))
    np.save(folder / "ids.npy", np.array([0, 2]))
    meta = {"dataset": "d", "encoder": "e", "ids": "x", "images": 3, "kind": "pyramid"}
    (folder / "encoded.json").write_text(json.dumps({**meta, "layers": ["a"], "levels": 1}))


@reader(make_maps, encoded__json="json", level0__npy="npy", ids__npy="npy")
def encoder_maps(folder: Path) -> object:
    from milan_core.captioner.features.maps import EncodedMaps

    return EncodedMaps.load(folder).index


# Networks and captioners.


def make_weights(folder: Path) -> None:
    from safetensors.torch import save_file

    from milan_core.networks.weights import save_weights

    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    state = module.state_dict()
    save_weights(module, folder / "ours.safetensors", {"a": 1})
    save_file(state, folder / "theirs.safetensors")
    torch.save(state, folder / "w.pth")
    torch.save({"state_dict": state}, folder / "old.pth", _use_new_zipfile_serialization=False)
    np.savez(folder / "w.npz", **{name: tensor.numpy() for name, tensor in state.items()})


@reader(
    make_weights,
    ours__safetensors="safetensors sealed",
    theirs__safetensors="safetensors",
    w__pth="torch",
    old__pth="raw",
    w__npz="torch zip",
)
def weights(folder: Path) -> object:
    from milan_core.networks.weights import load_weights, read_meta

    for name in ("ours.safetensors", "theirs.safetensors", "w.pth", "old.pth", "w.npz"):
        module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
        load_weights(module, folder / name)
    return read_meta(folder / "ours.safetensors")


def make_captioner(folder: Path) -> None:
    from milan_core.captioner.captioner import Captioner
    from milan_core.captioner.checkpoint import save_captioner
    from milan_core.captioner.decoder import Decoder
    from milan_core.captioner.language_model import LanguageModel
    from milan_core.captioner.vocabulary import Tokenizer, Vocabulary

    tokenizer = Tokenizer(Vocabulary(("a", "dog", "cat")))
    decoder = Decoder(6, tokenizer.vocabulary.size, embedding=4, hidden=8)
    model = LanguageModel(tokenizer, embedding=4, hidden=8)
    meta = {"encoder": {"spec": {"model": {"factory": "torchvision.models:resnet18"}}, "hash": "x"}}
    save_captioner(Captioner(decoder, model, tokenizer).eval(), folder / "c", meta)


@reader(
    make_captioner,
    c_S_config__json="json",
    c_S_vocabulary__json="json",
    c_S_weights__safetensors="safetensors sealed",
)
def captioner(folder: Path) -> object:
    from milan_core.captioner.checkpoint import load_captioner

    found = load_captioner(folder / "c")
    return found.tokenizer.decode(np.array([0, 1]))


@reader(make_captioner, c_S_config__json="json")
def captioner_encoder(folder: Path) -> object:
    from milan_core.captioner.checkpoint import load_captioner

    return load_captioner(folder / "c").meta


def make_release(folder: Path) -> None:
    (folder / "m.pth").write_bytes((GOLDEN / "decoder.pth").read_bytes())


@reader(make_release, m__pth="torch")
def released_captioner(folder: Path) -> object:
    from milan_core.captioner.release import captioner_parts, read_release

    return captioner_parts(read_release(folder / "m.pth"))


def make_small_release(folder: Path) -> None:
    torch.save(
        {"properties": {"indexer": {}}, "state_dict": {"a": torch.zeros(2, 2).T}}, folder / "m.pth"
    )


@reader(make_small_release, m__pth="torch")
def checkpoint(folder: Path) -> object:
    from milan_core.captioner.torch_zip import read_checkpoint

    return read_checkpoint(folder / "m.pth")


# Archives and sets.


def make_archive(folder: Path) -> None:
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("set/annotations.csv", "layer,unit,summary\na,0,x\n")
        archive.writestr("set/a/ids.csv", "0,1\n")
        archive.writestr("set/a/x.txt", "x" * 500)
    with zipfile.ZipFile(folder / "b.whl", "w") as archive:
        archive.writestr("p/data.txt", "x" * 300)
        archive.writestr("p/b.txt", "y")
    with tarfile.open(folder / "c.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("p/data.txt")
        info.size = 300
        tar.addfile(info, io.BytesIO(b"x" * 300))


@reader(make_archive, a__zip="zip", b__whl="zip", c__tar__gz="raw")
def archives(folder: Path) -> object:
    from milan_core.annotations.unpack import unpack, unpack_table
    from milan_core.images.fetch.archive import extract
    from milan_core.images.fetch.unpacked import unpack_whole, verify_unpacked

    def attempt(call: Callable[[], object]) -> None:
        try:
            call()
        except ValueError as error:
            _user(error)

    whole = folder / "in" / "whole"
    attempt(lambda: unpack(folder / "a.zip", folder / "in" / "set", 1 << 20))
    attempt(lambda: unpack_table(folder / "a.zip", folder / "in" / "table"))
    attempt(lambda: verify_unpacked(unpack_whole(folder / "b.whl", whole)))
    attempt(lambda: extract(folder / "c.tar.gz", folder / "in/c", ["p/*"], max_bytes=1 << 20))
    return extract(folder / "b.whl", folder / "in" / "b", ["p/*.txt"], max_bytes=1 << 20)


def make_set(folder: Path) -> None:
    rng = np.random.default_rng(0)
    layer = folder / "s" / "conv1"
    layer.mkdir(parents=True)
    np.save(layer / "masks.npy", (rng.random((2, 3, 1, 8, 8)) < 0.3).astype(np.uint8))
    np.save(layer / "images.npy", rng.integers(0, 256, (2, 3, 3, 8, 8), dtype=np.uint8))
    np.save(layer / "units.npy", np.array([0, 4]))
    (layer / "ids.csv").write_text("0,1,2\n3,4,5\n")
    (layer / "activations.csv").write_text("3.5,2,1\n3,2,1\n")
    (folder / "s" / "annotations.csv").write_text("layer,unit,summary\n" + "conv1,4,a dog\n" * 3)


@reader(
    make_set,
    s_S_annotations__csv="csv",
    s_S_conv1_S_ids__csv="csv",
    s_S_conv1_S_activations__csv="csv",
    s_S_conv1_S_masks__npy="npy",
    s_S_conv1_S_images__npy="npy",
    s_S_conv1_S_units__npy="npy",
)
def annotation_set(folder: Path) -> object:
    from milan_core.annotations.released import open_set

    found = open_set(folder / "s", 3)
    return [(unit.ids.sum(), unit.images.sum(), unit.masks.sum()) for unit in found]


def make_shard(folder: Path) -> None:
    with tarfile.open(folder / "s.tar", "w") as out:
        for number in range(2):
            buffer = io.BytesIO()
            Image.fromarray(np.full((9, 9, 3), number * 90, np.uint8)).save(buffer, "PNG")
            for name, body in ((f"{number}.png", buffer.getvalue()), (f"{number}.cls", b"1")):
                info = tarfile.TarInfo(f"x/{name}")
                info.size = len(body)
                out.addfile(info, io.BytesIO(body))


@reader(make_shard, s__tar="tar")
def webdataset(folder: Path) -> object:
    from milan_core.core.options import parse
    from milan_core.images.spec import DatasetSpec

    options = {"path": str(folder / "s.tar"), "size": 8, "resize": 8}
    spec = parse(DatasetSpec, {"kind": "webdataset", "options": options}, "d")
    return spec.build("d", folder / "out", {}, 1)


PICTURES = ("a.png", "b.jpg", "c.bmp", "d.gif", "e.tif", "f.webp", "g.ppm")


def make_pictures(folder: Path) -> None:
    (folder / "p").mkdir()
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    for name in PICTURES:
        image.save(folder / "p" / name)


@reader(make_pictures, **{f"p_S_{name}": "raw" for name in PICTURES})
def pictures(folder: Path) -> object:
    from milan_core.core.options import parse
    from milan_core.images.spec import DatasetSpec

    options = {"path": str(folder / "p"), "size": 8, "resize": 8, "on_error": "skip"}
    spec = parse(DatasetSpec, {"kind": "folder", "options": options}, "d")
    return spec.build("d", folder / "out", {}, 1)


def make_broden(folder: Path) -> None:
    make_dataset(folder)
    (folder / "b" / "images").mkdir(parents=True)
    (folder / "b/label.csv").write_text("number,name,category\n1,red,color(3)\n2,dog,object\n")
    rows = "".join(f"{i},l{i}.png,1\n" for i in range(3))
    (folder / "b/index.csv").write_text("image,object,color\n" + rows)
    for i in range(3):
        array = np.zeros((8, 8, 3), np.uint8)
        array[:4, :, 0] = 2
        Image.fromarray(array).save(folder / "b/images" / f"l{i}.png")
    ids = folder / "d/ids.csv"
    ids.write_text("id,name,label\n" + "".join(f"{i},{i},x\n" for i in range(3)))


@reader(make_broden, b_S_label__csv="csv", b_S_index__csv="csv", b_S_images_S_l0__png="raw")
def broden(folder: Path) -> object:
    from milan_core.describers.concept_sources import broden_masks
    from milan_core.images.store import open_dataset

    return broden_masks(open_dataset(folder / "d"), folder / "b", 8)


LOCK = {"format": "milan-download", "format_version": 1, "sha256": "0" * 64, "size": 1, "url": "u"}
ASSET = {"format_version": 1, "files": [{"path": "x", "sha256": "0" * 64, "size": 1}], "keep": []}


@reader(
    write(
        x__txt="x", x__txt__lock__json=json.dumps(LOCK),
        f_S_x="x", f_S_asset__json=json.dumps(ASSET),
        f__lock__json=json.dumps({"format_version": 1, "files": {"x": "0" * 64}}),
    ),
    x__txt__lock__json="json", f_S_asset__json="json", f__lock__json="json",
)  # fmt: skip
def download_records(folder: Path) -> object:
    from milan_core.images.fetch.catalog import _verify_package
    from milan_core.images.fetch.options import PublishedFile
    from milan_core.images.fetch.trust import verify
    from milan_core.images.fetch.unpacked import verify_unpacked

    spec = PublishedFile(name="x.txt", urls=["https://x.org/x.txt"])
    for call in (lambda: verify(spec, folder / "x.txt"), lambda: _verify_package(folder / "f")):
        try:
            call()
        except ValueError as error:
            _user(error)
    return verify_unpacked(folder / "f")
