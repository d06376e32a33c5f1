"""From images and concept masks to labels.csv, on networks whose units are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from datasets_made import build_dataset
from PIL import Image
from torch import nn

from describers.backends.test_clip import make_model, make_tokenizer
from milan_core import ops
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, write_csv
from milan_core.core.step import Compute
from milan_core.describers.activations import NetworkUnits
from milan_core.describers.backends.clip import Clip
from milan_core.describers.clip_dissect import clip_similarity, soft_wpmi
from milan_core.describers.concept_sources import concept_masks
from milan_core.describers.concepts import ConceptMasks
from milan_core.describers.describer import Resources
from milan_core.describers.driver import describe, write_methods
from milan_core.describers.evidence import gather
from milan_core.describers.label_options import ConceptsOptions
from milan_core.describers.labels import FORM
from milan_core.describers.options import (
    ClipDissectOptions,
    CompexpOptions,
    InvertOptions,
    NetDissectOptions,
)
from milan_core.describers.registry import load_describer
from milan_core.exemplars.sources import open_source
from milan_core.networks.options import InputSpec
from milan_core.networks.zoo import LoadedModel
from milan_core.world.concepts import ConceptTable

SIZE, COUNT = 16, 24
PAINT = {1: (255, 0, 0), 2: (0, 0, 255), 3: (0, 255, 0)}  # label number of red, blue, green
METHODS = [
    NetDissectOptions(quantile=0.95, threshold=0.6),
    CompexpOptions(quantile=0.95, beam=5, length=3),
    InvertOptions(beam=5, length=2, min_share=0.01),
]


def folder(path) -> ConceptsOptions:
    return ConceptsOptions(source="folder", path=str(path), size=SIZE)


def write_labels(network, dataset, concepts, methods, out, batch_size=64, threads=1):
    """As the step does, with a network that is at hand."""
    resources = Resources(compute=Compute(threads=threads))
    describers = [load_describer(options, resources) for options in methods]
    quantiles = [quantile for one in describers for quantile in one.quantiles]
    units = NetworkUnits(
        *(network, dataset, concepts, quantiles, out.parent),
        batch_size=batch_size,
        compute=resources.compute,
    )
    said = [(one.Options.describer_name(), describe(one, units)) for one in describers]
    write_methods(out, said, FORM)


class Colours(nn.Module):
    """Units: red, blue, red or blue, silent."""

    def __init__(self) -> None:
        super().__init__()
        self.units = nn.Conv2d(3, 4, 1, bias=False)
        weights = [[1, -1, -1], [-1, -1, 1], [1, -1, 1], [0, 0, 0]]
        self.units.weight.data = torch.tensor(weights, dtype=torch.float32)[..., None, None]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.units(images)).mean((2, 3))


def loaded(module: nn.Module, *layers: str, relu: tuple[str, ...] = ()) -> LoadedModel:
    spec = InputSpec(size=SIZE, mean=(0, 0, 0), std=(1, 1, 1))
    return LoadedModel(module.eval(), spec, list(layers), list(relu))


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    """Black images with one 4 x 4 patch of a colour each, and a Broden folder that says so."""
    root = tmp_path_factory.mktemp("patches")
    rng = np.random.default_rng(0)
    maps = root / "broden/images/maps"
    maps.mkdir(parents=True)
    (root / "pictures").mkdir()
    rows = []
    for index in range(COUNT):
        number = index % 3 + 1
        y, x = rng.integers(0, SIZE - 4, 2)
        image = np.zeros((SIZE, SIZE, 3), np.uint8)
        label = np.zeros((SIZE, SIZE, 3), np.uint8)
        image[y : y + 4, x : x + 4] = PAINT[number]
        label[y : y + 4, x : x + 4, 0] = number
        Image.fromarray(image).save(root / f"pictures/{index:02d}.png")
        Image.fromarray(label).save(maps / f"{index:02d}.png")
        rows.append((f"train/{index:02d}.png", "train", f"maps/{index:02d}.png", 300))
    write_csv(root / "broden/index.csv", ("image", "split", "color", "scene"), rows)
    labels = [(1, "red", "color(8)"), (2, "blue", "color(8)"), (3, "green", "color(8)")]
    labels.append((300, "street", "scene(24)"))
    write_csv(root / "broden/label.csv", ("number", "name", "category"), labels)
    spec = {"kind": "folder", "path": str(root / "pictures"), "size": SIZE, "resize": SIZE}
    return build_dataset("patches", spec, {}, root / "data", 0), root / "broden"


def by_unit(path: Path, method: str) -> list[dict[str, str]]:
    return [row for row in read_csv(path) if row["method"] == method]


def test_labels_of_a_network_with_known_units(patches, tmp_path):
    dataset, broden = patches
    concepts = concept_masks(dataset, folder(broden))
    network = loaded(Colours(), "units", relu=("units",))
    out = tmp_path / "labels.csv"
    write_labels(network, dataset, concepts, METHODS, out, batch_size=5)
    first = out.read_bytes()
    red, blue, either, silent = by_unit(out, "netdissect")
    assert [red["description"], blue["description"]] == ["red", "blue"]
    # The levels are 0, and rounding in the published grid leaves a trace of the patch beside it:
    # 12 pixels around the 128 red ones, 20 around the red and the blue ones.
    assert (red["category"], float(red["score"]), red["passes"]) == ("color", 128 / 140, "1")
    assert (float(either["score"]), either["passes"]) == (128 / 276, "0")
    assert (silent["description"], silent["passes"], silent["status"]) == ("", "", "dead")
    said = [row["label"] for row in by_unit(out, "compexp")]
    assert said == ["red", "blue", "(red OR blue)", ""]
    assert float(by_unit(out, "compexp")[2]["score"]) == 256 / 276
    red, blue, either, silent = by_unit(out, "invert")
    assert [red["label"], either["label"], silent["label"]] == ["red", "red", ""]
    # red or blue holds in 16 of 24 images, more than half: it may not be a label.
    assert float(red["score"]) == 1.0
    assert float(red["p"]) < 1e-4
    write_labels(network, dataset, concepts, METHODS, out, batch_size=24, threads=2)
    assert out.read_bytes() == first, "the same bytes for any batch size and threads"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.csv"], "no file is left"


def test_concept_files_are_read_back(patches, tmp_path):
    dataset, broden = patches
    concepts = concept_masks(dataset, folder(broden))
    concepts.save(tmp_path / "c.safetensors")
    again = ConceptMasks.load(tmp_path / "c.safetensors")
    assert (again.names, again.categories) == (concepts.names, concepts.categories)
    assert again.presence().sum(0).tolist() == [8, 8, 8, 24], "the scene is in every image"
    assert (again.masks.bits == concepts.masks.bits).all()


def test_masks_equal_those_of_all_maps_at_once(patches, tmp_path):
    dataset, _ = patches
    torch.manual_seed(1)
    network = loaded(nn.Sequential(nn.Conv2d(3, 5, 3, 4), nn.ReLU(), nn.Conv2d(5, 3, 2)), "0", "2")
    source = open_source(dataset, network.input)
    found = gather(network, source, [0.9, 0.99], SIZE, tmp_path, batch_size=7)
    inputs = torch.cat([rows for rows, _ in source.batches((0, 1), COUNT)])
    with torch.inference_mode():
        outputs = {"0": network.module[0](inputs), "2": network.module(inputs)}
    for layer, own in found.items():
        maps = np.ascontiguousarray(outputs[layer].numpy())
        assert own.maxima == pytest.approx(maps.max((2, 3)).T, abs=1e-6)
        assert own.means == pytest.approx(maps.mean((2, 3)).T, abs=1e-6)
        for quantile, masks in own.masks.items():
            values = np.sort(maps.transpose(1, 0, 2, 3).reshape(maps.shape[1], -1), axis=1)
            rank = int(np.ceil(quantile * values.shape[1])) - 1
            assert own.levels[quantile] == pytest.approx(values[:, rank], rel=2e-3, abs=1e-6)
            for unit in range(masks.units):
                level = np.full(COUNT, own.levels[quantile][unit], np.float32)
                want = ops.masks(np.ascontiguousarray(maps[:, unit]), level, SIZE)
                block = masks.block(unit, unit + 1)
                got = np.zeros((COUNT, SIZE * SIZE // 8), np.uint8)
                got[block.members] = block.bits.view(np.uint8)
                assert (got == want.reshape(COUNT, -1)).all()
            assert [b for _, b in masks.blocks(rows=1)][-1] == masks.units


def test_truth_of_a_world(tmp_path):
    spec = {"kind": "shapes", "count": 12, "label": "object"}
    world = build_dataset("w", spec, {}, tmp_path / "w", 3)
    found = concept_masks(world, ConceptsOptions())
    table = ConceptTable(world)
    assert len(found.names) == len(table.concepts) + len(table.lexicon.colours)
    everything = np.ones((12, 1, 64, 64), bool)
    counts = table.look(np.arange(12)[:, None], everything).counts[:, 0]  # [N, L, K]
    want = np.concatenate([counts.sum(2) @ table.parents, counts.sum(1)], axis=1)
    got = np.zeros_like(want)
    pixels = np.bitwise_count(found.masks.bits).sum(1)
    got[found.masks.groups, found.masks.members] = pixels
    assert (got == want).all(), "pixels of every concept and colour in every image"


def test_masks_of_other_images_are_refused(patches, tmp_path):
    dataset, broden = patches
    concepts = concept_masks(dataset, folder(broden))
    spec = {"kind": "shapes", "count": 4, "label": "object"}
    other = build_dataset("w", spec, {}, tmp_path / "w", 3)
    network = loaded(Colours(), "units")
    with pytest.raises(UserError, match="results of different images are not compared"):
        write_labels(network, other, concepts, METHODS, tmp_path / "l.csv")
    with pytest.raises(UserError, match="4 of the 4 images of data set 'w'"):
        concept_masks(other, folder(broden))
    with pytest.raises(UserError, match=r"'netdissect' needs .*masks of concepts"):
        write_labels(network, other, None, METHODS, tmp_path / "l.csv")
    with pytest.raises(ValueError, match="needs a path"):
        ConceptsOptions(source="folder")


def test_damaged_broden_folders_are_refused(patches, tmp_path):
    dataset, broden = patches
    rows = [(name, "maps/none.png") for name in dataset.names]
    for name in ("label.csv", "index.csv"):
        (tmp_path / name).write_bytes((broden / name).read_bytes())
    options = folder(tmp_path)
    with pytest.raises(UserError, match="cannot read this label map"):
        concept_masks(dataset, options)
    write_csv(tmp_path / "index.csv", ("image", "scene"), [(n, "77") for n, _ in rows])
    with pytest.raises(UserError, match="77 holds label 77"):
        concept_masks(dataset, options)
    write_csv(tmp_path / "label.csv", ("number", "name", "category"), [("x", "a", "b")])
    with pytest.raises(UserError, match="'x' is not a label number"):
        concept_masks(dataset, options)


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    make_model().save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    size = {"height": 24, "width": 24}
    transformers.CLIPImageProcessor(size=size, crop_size=size).save_pretrained(folder)
    return folder


def test_clip_dissect_with_any_clip(patches, clip_folder, tmp_path):
    dataset, broden = patches
    concepts = concept_masks(dataset, folder(broden))
    words = tmp_path / "words.txt"
    words.write_text("red dog\ncat\ngrass\n")
    options = ClipDissectOptions(path=str(clip_folder), concepts=str(words), top=6)
    network = loaded(Colours(), "units")
    out = tmp_path / "labels.csv"
    write_labels(network, dataset, concepts, [options], out)
    listed = ["red dog", "cat", "grass"]
    similarity = clip_similarity(Clip.load(clip_folder), dataset.images, listed, "a {}")
    assert similarity.shape == (COUNT, 3)
    assert np.abs(similarity).max() <= 1 + 1e-5
    means = np.stack([np.asarray(dataset.images)[..., c].mean((1, 2)) for c in range(3)])
    weights = np.array([[1, -1, -1], [-1, -1, 1], [1, -1, 1], [0, 0, 0]])
    scores = soft_wpmi(weights @ means, similarity, top=6, weight=1.0)
    rows = by_unit(out, "clip_dissect")
    assert [float(row["score"]) for row in rows[:3]] == pytest.approx(scores.max(1)[:3], abs=1e-4)
    assert (rows[3]["score"], rows[3]["label"], rows[3]["status"]) == ("", "", "dead")
    with pytest.raises(UserError, match="no CLIP is given"):
        load_describer(ClipDissectOptions(), Resources())
    with pytest.raises(UserError, match=r"has no .* for the concept"):
        load_describer(options.model_copy(update={"prompt": "a"}), Resources())
    plain = options.model_copy(update={"concepts": None})
    write_labels(network, dataset, concepts, [plain], out)
    assert {row["label"] for row in by_unit(out, "clip_dissect")[:3]} <= set(concepts.names)
    with pytest.raises(UserError, match="no word list and no concept masks"):
        write_labels(network, dataset, None, [plain], out)


def test_a_segmentation_model_gives_masks(patches, tmp_path):
    dataset, _ = patches
    torch.manual_seed(0)
    config = transformers.SegformerConfig(
        num_labels=3,
        hidden_sizes=[8, 8, 8, 8],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 1, 1],
        decoder_hidden_size=8,
        id2label={0: "wall, brick", 1: "dog", 2: "sky"},
    )
    transformers.SegformerForSemanticSegmentation(config).save_pretrained(tmp_path)
    size = {"height": 32, "width": 32}
    transformers.SegformerImageProcessor(size=size).save_pretrained(tmp_path)
    source = ConceptsOptions(source="segmenter", path=str(tmp_path), size=16)
    found = concept_masks(dataset, source)
    assert found.names == ("wall", "dog", "sky")
    pixels = np.zeros((COUNT, 3), np.int64)
    pixels[found.masks.groups, found.masks.members] = np.bitwise_count(found.masks.bits).sum(1)
    assert (pixels.sum(1) == 256).all(), "every pixel has one class"
    with pytest.raises(UserError, match="segmentation"):
        concept_masks(dataset, source.model_copy(update={"path": str(tmp_path / "no")}))
