"""Captioner files: our folder, the published container, and files that mean harm."""

import json
import random
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from paths import TESTS

from captioner.test_hostile import archive, refused
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
    folder = tmp_path / "run/c"
    refused(folder, "not found")
    save_captioner(captioner, folder, {})
    config = json.loads((folder / "config.json").read_text())

    def broken(name, text):
        copy = tmp_path / "broken"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        (copy / name).write_text(text) if text is not None else (copy / name).unlink()
        return copy

    refused(broken("config.json", None), "no config.json\\); it has none in it")
    for above in (folder.parent, tmp_path):
        refused(above, rf"no config.json\); those in it: .*{folder}")
    refused(broken("config.json", "{"), "not valid JSON")
    refused(broken("config.json", json.dumps(config | {"kind": "x"})), "not describe a captioner")
    refused(broken("config.json", json.dumps(config | {"format": 9})), "format 9, this release")
    refused(broken("config.json", json.dumps(config | {"feature_size": 7})), "does not fit")
    refused(broken("vocabulary.json", '["a", "dog", "cow"]'), "different captioners")
    refused(broken("weights.safetensors", "junk"), "damaged")


def test_weights_without_a_value_are_refused(captioner, tmp_path):
    """They would describe every unit alike, with right checksums."""
    release = read_release(GOLDEN / "decoder.pth")
    state = plain(release.state)
    state["lstm.bias_ih"] = state["lstm.bias_ih"] * torch.nan
    torch.save({"properties": plain(release.properties), "state_dict": state}, tmp_path / "x.pth")
    refused(tmp_path / "x.pth", "numbers of lstm.bias_ih are NaN or infinite")
    with torch.no_grad():
        captioner.decoder.output.bias[0] = torch.inf
    save_captioner(captioner, tmp_path / "c", {})
    refused(tmp_path / "c", "numbers of decoder.output.bias are NaN or infinite")


def test_plain_checkpoints_are_read_but_are_no_captioner(tmp_path):
    stored = {"a": torch.arange(6.0).view(2, 3).t(), "b": [1, "x", None], "c": torch.zeros(0)}
    torch.save(stored, tmp_path / "x.pth")
    found = read_checkpoint(tmp_path / "x.pth")
    assert found["a"].equal(stored["a"])
    assert found["b"] == stored["b"]
    assert found["c"].shape == (0,)
    refused(tmp_path / "x.pth", "not a published MILAN captioner")
    refused(GOLDEN / "lm.pth", "language model alone")


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
