"""Training: what is learnt from, which epoch is kept, equal bytes, and resuming a killed run."""

import csv
import dataclasses

import numpy as np
import pytest
import torch

from milan_core.captioner.checkpoint import load_captioner
from milan_core.captioner.training import fitting
from milan_core.captioner.training.pairs import build_corpus
from milan_core.captioner.training.settings import CaptionerSettings
from milan_core.captioner.training.tasks import DecoderTask, LanguageTask
from milan_core.captioner.training.train import STATE, _warn_of_early_stop, train_captioner
from milan_core.captioner.vocabulary import Tokenizer
from milan_core.core.errors import UserError

NOUNS = ("dog", "cat", "tree", "sky", "wheel", "face")
COLOURS = ("red", "blue", "dark", "shiny")
F = 12


@pytest.fixture(scope="module")
def world():
    """Units whose features name a colour and a noun, and three texts for each."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(len(NOUNS) + len(COLOURS), F))
    noun, colour = rng.integers(0, len(NOUNS), 60), rng.integers(0, len(COLOURS), 60)
    centre = directions[noun] + directions[len(NOUNS) + colour]
    features = (centre[:, None] + 0.3 * rng.normal(size=(60, 5, F))).astype(np.float16)
    pairs = [(COLOURS[c], NOUNS[n]) for c, n in zip(colour, noun, strict=True)]
    texts = [[f"the {c} {n} in the picture", f"a {c} {n}", f"{n}s , {c}"] for c, n in pairs]
    return features, texts


@pytest.fixture
def settings():
    return CaptionerSettings(
        embedding=8,
        hidden=16,
        lm_embedding=8,
        lm_hidden=16,
        batch=32,
        lr=1e-2,
        max_epochs=4,
        checkpoint_seconds=0.0,
    )


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def history(folder, phase):
    with (folder / "history.csv").open() as handle:
        return [row for row in csv.DictReader(handle) if row["phase"] == phase]


def test_it_learns_to_describe(world, settings, tmp_path):
    features, texts = world
    longer = {"max_epochs": 30, "patience": 9, "stop_on": "loss", "dropout": 0.1, "hidden": 32}
    settings = dataclasses.replace(settings, **longer)
    captioner = train_captioner(features, texts, settings, 0, tmp_path)
    held_out = captioner.meta["held_out_units"]
    out = captioner.decode(features[held_out], beam_size=10)
    nouns = [next(n for n in NOUNS if n in texts[unit][1]) for unit in held_out]
    right = [n in text.lower() for n, text in zip(nouns, out.captions, strict=True)]
    assert np.mean(right) >= 0.8
    losses = [float(row["val_loss"]) for row in history(tmp_path, "decoder")]
    assert min(losses) < 0.5 * losses[0]


def test_outputs_and_loading(world, settings, tmp_path):
    features, texts = world
    captioner = train_captioner(features, texts, settings, 1, tmp_path)
    assert set(files(tmp_path)) == {
        *("config.json", "vocabulary.json", "weights.safetensors", "history.csv"),
    }
    loaded = load_captioner(tmp_path)
    assert loaded.meta == captioner.meta
    for name, tensor in captioner.state_dict().items():
        assert loaded.state_dict()[name].equal(tensor)
    assert [row["epoch"] for row in history(tmp_path, "decoder")] == ["1", "2", "3", "4"]
    assert {row["bleu"] for row in history(tmp_path, "language model")} == {""}


def test_same_seed_same_bytes_and_the_global_generator_is_left_alone(world, settings, tmp_path):
    features, texts = world
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        train_captioner(features, texts, settings, seed, tmp_path / name)
        torch.rand(7)
    torch.manual_seed(5)
    assert torch.random.get_rng_state().equal(before)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert (
        files(tmp_path / "a")["weights.safetensors"] != files(tmp_path / "c")["weights.safetensors"]
    )


def test_memory_mapped_features_give_the_same_bytes(world, settings, tmp_path):
    features, texts = world
    np.save(tmp_path / "features.npy", features)
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")
    train_captioner(features, texts, settings, 0, tmp_path / "a")
    train_captioner(mapped, texts, settings, 0, tmp_path / "b")
    assert files(tmp_path / "a") == files(tmp_path / "b")


@pytest.mark.parametrize("epochs", [1, 3, 6])
def test_a_killed_run_resumes_to_the_same_bytes(world, settings, tmp_path, monkeypatch, epochs):
    features, texts = world
    train_captioner(features, texts, settings, 0, tmp_path / "whole")
    one_epoch, calls = fitting._one_epoch, []

    def killed(*arguments):
        if len(calls) == epochs:
            raise KeyboardInterrupt
        calls.append(1)
        return one_epoch(*arguments)

    monkeypatch.setattr(fitting, "_one_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        train_captioner(features, texts, settings, 0, tmp_path / "killed")
    assert set(files(tmp_path / "killed")) == {STATE}
    redone = []

    def counted(*arguments):
        redone.append(1)
        return one_epoch(*arguments)

    monkeypatch.setattr(fitting, "_one_epoch", counted)
    train_captioner(features, texts, settings, 0, tmp_path / "killed")
    assert len(redone) == 8 - epochs
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def test_a_foreign_state_is_not_resumed(world, settings, tmp_path, monkeypatch, caplog):
    features, texts = world

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting.StateFile, "finish", killed)
    with pytest.raises(KeyboardInterrupt):
        train_captioner(features, texts, settings, 0, tmp_path)
    state = (tmp_path / STATE).read_bytes()
    monkeypatch.undo()
    changed = features.copy()
    changed[0, 0, 0] += 1
    wider = dataclasses.replace(settings, hidden=17)
    for number, (request, code) in enumerate(
        (
            ((features, texts, settings, 1), ""),
            ((changed, texts, settings, 0), ""),
            ((features, [*texts[:-1], ["x"]], settings, 0), ""),
            ((features, texts, wider, 0), ""),
            ((features, texts, settings, 0), "newer sources"),
        )
    ):
        afresh, edited = tmp_path / f"afresh{number}", tmp_path / f"edited{number}"
        edited.mkdir()
        (edited / STATE).write_bytes(state)
        caplog.clear()
        train_captioner(*request, afresh, code=code)
        train_captioner(*request, edited, code=code)
        assert "starting afresh" in caplog.text
        for name in ("weights.safetensors", "history.csv"):
            assert (edited / name).read_bytes() == (afresh / name).read_bytes()
    (tmp_path / STATE).write_bytes(b"junk")
    with pytest.raises(UserError, match="damaged"):
        train_captioner(features, texts, settings, 0, tmp_path)


def test_published_training_ends_with_the_last_epoch(world, settings, tmp_path):
    features, texts = world
    settings = dataclasses.replace(
        settings, lr=0.1, max_epochs=4, patience=9, stop_on="loss", keep="last",
        lm_hold_out="description",
    )  # fmt: skip
    captioner = train_captioner(features, texts, settings, 0, tmp_path)
    corpus = build_corpus(texts, settings.hold_out, 0, "description")
    arguments = {"settings": settings, "seed": 0, "device": "cpu"}
    prior = LanguageTask(corpus, captioner.tokenizer, **arguments)
    prior.model.load_state_dict(captioner.language_model.state_dict())
    losses = [float(row["val_loss"]) for row in history(tmp_path, prior.name)]
    assert len(losses) == 4
    assert prior.evaluate()["val_loss"] == pytest.approx(losses[-1], rel=1e-6)


def test_returned_weights_are_those_of_the_best_row(world, settings, tmp_path):
    features, texts = world
    settings = dataclasses.replace(settings, lr=0.1, max_epochs=30, patience=1, stop_on="loss")
    captioner = train_captioner(features, texts, settings, 0, tmp_path)
    corpus = build_corpus(texts, settings.hold_out, 0)
    arguments = {"settings": settings, "seed": 0, "device": "cpu"}
    decoder = DecoderTask(corpus, captioner.tokenizer, features, **arguments)
    decoder.model.load_state_dict(captioner.decoder.state_dict())
    prior = LanguageTask(corpus, captioner.tokenizer, **arguments)
    prior.model.load_state_dict(captioner.language_model.state_dict())
    for task in (decoder, prior):
        losses = [float(row["val_loss"]) for row in history(tmp_path, task.name)]
        assert losses[-1] > min(losses)
        assert task.evaluate()["val_loss"] == pytest.approx(min(losses), rel=1e-6)


def test_standardisation_uses_the_training_units(world, settings):
    features, texts = world
    corpus = build_corpus(texts, 0.1, 0)
    task = DecoderTask(corpus, Tokenizer(corpus.vocabulary), features, settings, 0, "cpu")
    exemplars, _ = task.model.prepare(task._block(np.unique(corpus.train.units)))
    rows = exemplars.features.flatten(0, 1).detach()
    torch.testing.assert_close(rows.mean(0), torch.zeros(F), atol=1e-4, rtol=0)
    torch.testing.assert_close(rows.std(0, correction=0), torch.ones(F), atol=1e-3, rtol=0)
    raw = dataclasses.replace(settings, standardise=False)
    task = DecoderTask(corpus, Tokenizer(corpus.vocabulary), features, raw, 0, "cpu")
    assert task.model.feature_scale.tolist() == [1.0] * F


def test_products_in_bfloat16_learn_as_well(world, settings, tmp_path):
    features, texts = world
    settings = dataclasses.replace(settings, max_epochs=12, stop_on="loss", patience=12)
    losses = {}
    for precision in ("float32", "bfloat16"):
        chosen = dataclasses.replace(settings, precision=precision)
        captioner = train_captioner(features, texts, chosen, 0, tmp_path / precision)
        assert captioner.meta["precision"] == precision
        assert {x.dtype for x in captioner.state_dict().values()} == {torch.float32}
        rows = history(tmp_path / precision, "decoder")
        losses[precision] = [float(row["val_loss"]) for row in rows]
    assert losses["float32"] != losses["bfloat16"]
    np.testing.assert_allclose(losses["float32"], losses["bfloat16"], rtol=0.05)


def test_precision_follows_the_device():
    assert CaptionerSettings().precision_on("cpu") == "float32"
    assert CaptionerSettings().precision_on("cuda:1") == "bfloat16"
    assert CaptionerSettings(precision="float32").precision_on("cuda") == "float32"


def test_without_a_language_model(world, settings, tmp_path):
    features, texts = world
    settings = dataclasses.replace(settings, language_model=False, max_epochs=1)
    assert train_captioner(features, texts, settings, 0, tmp_path).language_model is None
    assert load_captioner(tmp_path).decode(features[:2], beam_size=3).logp_lm is None


def test_a_misleading_bleu_is_reported(caplog):
    def row(epoch, loss, score, best):
        return {"epoch": epoch, "val_loss": loss, "bleu": score, "best": best}

    _warn_of_early_stop([row(1, 4.4, 0.3, True), row(2, 4.3, 0.8, True), row(3, 4.0, 0.0, False)])
    assert not caplog.text
    _warn_of_early_stop([row(1, 4.4, 0.8, True), row(2, 2.8, 0.0, False)])
    assert "stop_on to loss" in caplog.text


def test_what_cannot_be_trained_on(world, settings, tmp_path):
    features, texts = world
    with pytest.raises(UserError, match="annotations of 59"):
        train_captioner(features, texts[:-1], settings, 0, tmp_path)
    with pytest.raises(UserError, match="float64"):
        train_captioner(features.astype(float), texts, settings, 0, tmp_path)
    broken = features.copy()
    broken[4, 1, 2] = np.inf
    with pytest.raises(UserError, match="unit 4 are not finite"):
        train_captioner(broken, texts, settings, 0, tmp_path)
    with pytest.raises(UserError, match="5 of 5 units have annotations"):
        train_captioner(features[:5], texts[:5], settings, 0, tmp_path)
    wild = dataclasses.replace(settings, lr=1e38)
    with pytest.raises(UserError, match=r"diverged in epoch \d+ .* lower captioner.lr"):
        train_captioner(features, texts, wild, 0, tmp_path)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"hiden": 3}, "did you mean 'hidden'"),
        ({"hidden": 0}, "captioner.hidden is 0"),
        ({"hold_out": 1.0}, "between 0 and 1"),
        ({"dropout": 1.0}, "below 1"),
        ({"stop_on": "blue"}, "did you mean 'bleu'"),
        ({"precision": "float16"}, "or 'float32'"),
    ],
)
def test_refused_settings(values, sentence):
    with pytest.raises(UserError, match=sentence):
        CaptionerSettings.from_dict(values)


def test_settings_survive_json():
    settings = CaptionerSettings(hidden=7, attention=3)
    assert CaptionerSettings.from_dict(settings.to_dict()) == settings
