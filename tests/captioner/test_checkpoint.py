"""Captioner files: our folder, the published container, and files that mean harm."""

import io
import json
import os
import pickle
import random
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from paths import TESTS

from milan_core.captioner.captioner import Captioner
from milan_core.captioner.checkpoint import load_captioner, save_captioner
from milan_core.captioner.decoder import Decoder
from milan_core.captioner.language_model import LanguageModel
from milan_core.captioner.release import read_release
from milan_core.captioner.torch_zip import read_checkpoint
from milan_core.captioner.vocabulary import Tokenizer, Vocabulary
from milan_core.core.errors import UserError

GOLDEN = TESTS / "data/golden/decoder"


@pytest.fixture
def captioner():
    torch.manual_seed(0)
    tokenizer = Tokenizer(Vocabulary(("a", "dog", "cat")))
    decoder = Decoder(6, tokenizer.vocabulary.size, embedding=4, hidden=8)
    decoder.standardize(torch.randn(6), torch.rand(6) + 0.5)
    return Captioner(decoder, LanguageModel(tokenizer, embedding=4, hidden=8), tokenizer).eval()


def archive(path, program, entries=(), root="archive", **options):
    """A zip file as torch writes it, with the given pickle."""
    with zipfile.ZipFile(path, "w", **options) as handle:
        handle.writestr(f"{root}/data.pkl", program)
        for name, data in entries:
            handle.writestr(name, data)
    return path


def refused(path, sentence):
    """Loading fails with one sentence that names the file."""
    with pytest.raises(UserError, match=sentence) as caught:
        load_captioner(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("with_prior", [True, False])
def test_round_trip(captioner, tmp_path, with_prior):
    if not with_prior:
        captioner.language_model = None
    save_captioner(captioner, tmp_path / "c", {"seed": 3})
    loaded = load_captioner(tmp_path / "c")
    assert loaded.meta == {"seed": 3}
    assert not loaded.training
    assert loaded.tokenizer == captioner.tokenizer
    assert (loaded.language_model is None) == (not with_prior)
    features = np.random.default_rng(0).normal(size=(3, 5, 6)).astype(np.float32)
    expected, found = (c.decode(features, beam_size=5) for c in (captioner, loaded))
    assert found.beam_captions == expected.beam_captions
    np.testing.assert_array_equal(found.scores, expected.scores)


def test_the_compiler_is_not_imported(captioner, tmp_path):
    save_captioner(captioner, tmp_path, {})
    code = (
        "import pathlib, sys; from milan_core.captioner.checkpoint import load_captioner; "
        f"load_captioner(pathlib.Path({str(tmp_path)!r})); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_same_captioner_same_bytes(captioner, tmp_path):
    for name in "ab":
        save_captioner(captioner, tmp_path / name, {})
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["config.json", "vocabulary.json", "weights.safetensors"]
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_release_can_be_stored_in_our_format(tmp_path):
    released = load_captioner(GOLDEN / "decoder.pth")
    save_captioner(released, tmp_path / "c", released.meta)
    loaded = load_captioner(tmp_path / "c")
    assert loaded.meta == released.meta
    for name, tensor in released.state_dict().items():
        assert loaded.state_dict()[name].equal(tensor)


def test_damaged_folders_are_refused(captioner, tmp_path):
    folder = tmp_path / "c"
    refused(folder, "not found")
    save_captioner(captioner, folder, {})
    config = json.loads((folder / "config.json").read_text())

    def broken(name, text):
        copy = tmp_path / "broken"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        (copy / name).write_text(text) if text is not None else (copy / name).unlink()
        return copy

    refused(broken("config.json", None), "configuration not found")
    refused(broken("config.json", "{"), "not valid JSON")
    refused(broken("config.json", json.dumps(config | {"kind": "x"})), "not describe a captioner")
    refused(broken("config.json", json.dumps(config | {"format": 9})), "format 9, this release")
    refused(broken("config.json", json.dumps(config | {"feature_size": 7})), "does not fit")
    refused(broken("vocabulary.json", '["a", "dog", "cow"]'), "different captioners")
    refused(broken("weights.safetensors", "junk"), "damaged")


class Command:
    """Pickles to a call of os.system."""

    def __init__(self, path):
        self.command = f"touch {path}"

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_runs_a_command_is_refused_before_it_runs(tmp_path, protocol):
    victim = tmp_path / "victim"
    content = {"properties": {"indexer": Command(victim)}, "state_dict": {}}
    refused(archive(tmp_path / "x.pth", pickle.dumps(content, protocol)), "is refused")
    assert not victim.exists()


@pytest.mark.parametrize(
    "name",
    [
        "builtins\neval",
        "posix\nsystem",
        "torch\nload",
        "torch.nn.modules.linear\nLinear",
        "numpy\nload",
        "collections\nCounter",
        "torch\nserialization.os.system",
    ],
)
def test_unknown_names_are_refused(tmp_path, name):
    program = b"\x80\x02c" + name.encode() + b"\n."
    refused(archive(tmp_path / "x.pth", program), "not plain data")


def test_a_whole_module_is_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "x.pth")
    refused(tmp_path / "x.pth", "not plain data")


def test_plain_checkpoints_are_read_but_are_no_captioner(tmp_path):
    stored = {"a": torch.arange(6.0).view(2, 3).t(), "b": [1, "x", None], "c": torch.zeros(0)}
    torch.save(stored, tmp_path / "x.pth")
    found = read_checkpoint(tmp_path / "x.pth")
    assert found["a"].equal(stored["a"])
    assert found["b"] == stored["b"]
    assert found["c"].shape == (0,)
    refused(tmp_path / "x.pth", "not a published MILAN captioner")
    refused(GOLDEN / "lm.pth", "language model alone")


@pytest.mark.parametrize("kept", [0, 10, 1000, 500_000, 1_900_000, -1])
def test_truncated_files_are_refused(tmp_path, kept):
    (tmp_path / "x.pth").write_bytes((GOLDEN / "decoder.pth").read_bytes()[:kept])
    refused(tmp_path / "x.pth", "cut short")


def test_truncated_pickle_and_no_pickle(tmp_path):
    with zipfile.ZipFile(GOLDEN / "lm.pth") as golden:
        program = golden.read("archive/data.pkl")
    refused(archive(tmp_path / "x.pth", program[:-500]), "is refused")
    with zipfile.ZipFile(tmp_path / "y.pth", "w") as handle:
        handle.writestr("archive/version", "3")
    refused(tmp_path / "y.pth", "no data.pkl")


def test_zip_bombs_are_refused(tmp_path):
    bomb = [("archive/data/0", bytes(50 << 20))]
    path = archive(tmp_path / "x.pth", b"N.", bomb, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20
    refused(path, "compressed")


def test_entries_that_share_bytes_are_refused(tmp_path):
    path = archive(tmp_path / "x.pth", b"N.", [("archive/data/0", bytes(1000))])
    directory = path.read_bytes()
    # A second directory record for the same bytes, and the count and size of the directory.
    end = directory.rindex(b"PK\x05\x06")
    start = directory.index(b"PK\x01\x02")
    records = directory[start:end] * 3
    tail = bytearray(directory[end:])
    tail[8:12] = (6).to_bytes(2, "little") * 2
    tail[12:16] = len(records).to_bytes(4, "little")
    path.write_bytes(directory[:start] + records + bytes(tail))
    refused(path, "entries claim")


@pytest.mark.parametrize(
    "name", ["../data/0", "archive/../../x", "/etc/x", "archive\\x", "C:/x", "x"]
)
def test_paths_that_lead_outside_are_refused(tmp_path, name):
    refused(archive(tmp_path / "x.pth", b"N.", [(name, b"")]), "name that torch does not write")


def test_large_memo_indices_are_refused(tmp_path):
    program = b"\x80\x02Nr\xff\xff\xff\x7f."
    refused(archive(tmp_path / "x.pth", program), "claims 2147483647 objects")


def tensor_program(count=4, offset=0, size=(2, 2), stride=(2, 1), key="0"):
    """The pickle of one float32 tensor."""
    out = io.BytesIO()
    pickler = pickle.Pickler(out, 2)

    def dump(value):
        pickler.clear_memo()
        out.truncate(0)
        out.seek(0)
        pickler.dump(value)
        return out.getvalue()[2:-1]

    storage = b"(" + dump("storage") + b"ctorch\nFloatStorage\n" + dump(key) + dump("cpu")
    storage += dump(count) + b"tQ"
    arguments = b"(" + storage + dump(offset) + dump(size) + dump(stride) + dump(False) + b"Nt"
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R."


def test_tensors_stay_inside_their_bytes(tmp_path):
    data = [("archive/data/0", np.arange(4, dtype=np.float32).tobytes())]
    good = archive(tmp_path / "good.pth", tensor_program(), data)
    assert read_checkpoint(good).tolist() == [[0, 1], [2, 3]]
    for options in (
        {"offset": 1},
        {"offset": -1},
        {"size": (3, 2)},
        {"size": (1 << 40,), "stride": (0,)},
        {"stride": (3, 1)},
        {"stride": (-2, 1)},
        {"size": (2, 2.0)},
        {"count": 5},
        {"count": 1 << 40},
        {"key": "../data/0"},
        {"key": "1"},
    ):
        bad = archive(tmp_path / "bad.pth", tensor_program(**options), data)
        with pytest.raises(UserError, match="is refused"):
            read_checkpoint(bad)


def copies_program(count, side):
    """`count` transposed tensors of one storage, (side, side): the pickle of a list."""
    one = tensor_program(side * side, 0, (side, side), (1, side))[2:-1]
    return b"\x80\x02](" + one * count + b"e."


def test_copies_of_one_storage_are_limited_by_the_file(tmp_path):
    side = 200
    data = [("archive/data/0", np.arange(side * side, dtype=np.float32).tobytes())]
    honest = archive(tmp_path / "honest.pth", copies_program(1, side), data)
    (found,) = read_checkpoint(honest)
    assert found[0, 1] == side, "transposed"
    for count, first in ((3, 3), (3000, 7)):  # the pickle counts as part of the file
        bomb = archive(tmp_path / "bomb.pth", copies_program(count, side), data)
        with pytest.raises(UserError, match=f"first {first} tensors take far more memory"):
            read_checkpoint(bomb)
    shared = torch.arange(1e5).view(100, 1000)
    torch.save([shared, shared, shared[3:9], shared.view(-1)] * 20, tmp_path / "shared.pth")
    assert len(read_checkpoint(tmp_path / "shared.pth")) == 80, "shared bytes cost nothing"


def test_the_number_of_tensors_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr("milan_core.captioner.torch_zip._MAX_TENSORS", 5)
    torch.save(list(torch.zeros(6, 2)), tmp_path / "x.pth")
    with pytest.raises(UserError, match="first 6 tensors"):
        read_checkpoint(tmp_path / "x.pth")


def test_small_tensors_cannot_ask_for_a_huge_network(captioner, tmp_path):
    """Sizes come from tensors and from config.json: all are compared before memory is taken."""
    release = read_release(GOLDEN / "decoder.pth")
    wide = {"attend.query_to_hidden.weight": torch.zeros(1, 1 << 20)}
    wide |= {"attend.key_to_hidden.weight": torch.zeros(1, 1 << 20)}
    torch.save(
        {"properties": plain(release.properties), "state_dict": plain(release.state) | wide},
        tmp_path / "x.pth",
    )
    refused(tmp_path / "x.pth", "size mismatch")  # the LSTM alone would take 17 TB
    save_captioner(captioner, tmp_path / "c", {})
    config = json.loads((tmp_path / "c/config.json").read_text())
    config["decoder"]["hidden"] = config["feature_size"] = 1 << 20
    (tmp_path / "c/config.json").write_text(json.dumps(config))
    refused(tmp_path / "c", "does not fit")


def test_random_damage_gives_a_sentence_or_a_captioner(tmp_path):
    with zipfile.ZipFile(GOLDEN / "decoder.pth") as golden:
        entries = {name: golden.read(name) for name in golden.namelist()}
    program = entries.pop("archive/data.pkl")
    rng, refusals = random.Random(0), 0
    for _ in range(60):
        damaged = bytearray(program)
        for _ in range(rng.choice([1, 2, 5])):
            at = rng.choice([rng.randrange(3000), len(damaged) - 1 - rng.randrange(9000)])
            damaged[at] = rng.randrange(256)
        path = archive(tmp_path / "x.pth", bytes(damaged), entries.items())
        # Any other exception ends the test.
        try:
            load_captioner(path)
        except UserError:
            refusals += 1
    assert refusals > 20


def plain(value):
    """The same content in ordinary containers."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return tuple(map(plain, value)) if isinstance(value, tuple) else value


def test_incomplete_releases_are_refused(tmp_path):
    release = read_release(GOLDEN / "decoder.pth")
    properties, state = plain(release.properties), plain(release.state)

    def stored(properties, state):
        torch.save({"properties": properties, "state_dict": state}, tmp_path / "x.pth")
        return tmp_path / "x.pth"

    load_captioner(stored(properties, state))
    refused(stored(properties | {"lm": "x"}, state), "not a whole MILAN captioner")
    refused(stored(properties | {"indexer": {}}, state), "not a whole MILAN captioner")
    refused(stored(properties | {"dropout": "x"}, state), "not a whole MILAN captioner")
    few = {name: x for name, x in state.items() if name != "lstm.bias_ih"}
    refused(stored(properties, few), "not a whole MILAN captioner")
    refused(stored(properties, state | {"key.weight": 1}), "not a published")
    small = state | {"embedding.weight": torch.zeros(3, 24)}
    refused(stored(properties, small), "not a whole MILAN captioner")
