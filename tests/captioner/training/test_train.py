"""Training: what is learned from, which epoch is kept, equal bytes, and resuming a killed run."""

import csv

import numpy as np
import pytest
import torch

from milan_core.captioner.checkpoint import load_captioner, save_captioner
from milan_core.captioner.options import CaptionerSettings, CaptionerSpec
from milan_core.captioner.training import fitting
from milan_core.captioner.training.pairs import build_corpus
from milan_core.captioner.training.tasks import DecoderTask, LanguageTask
from milan_core.captioner.training.train import (
    HISTORY,
    STATE,
    _warn_of_early_stop,
    train_captioner,
)
from milan_core.captioner.vocabulary import Tokenizer
from milan_core.core.errors import UserError
from milan_core.core.files import write_csv
from milan_core.core.options import canonical, parse

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


def train(features, texts, settings, seed, folder, code=""):
    """Train and write the captioner as the step does; returns it."""
    state = folder / STATE
    trained = train_captioner(features, texts, settings, seed, state=state, code=code)
    write_csv(folder / "history.csv", HISTORY, trained.rows())
    save_captioner(trained.captioner, folder, trained.captioner.meta)
    state.unlink(missing_ok=True)
    return trained.captioner


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def history(folder, phase):
    with (folder / "history.csv").open() as handle:
        return [row for row in csv.DictReader(handle) if row["phase"] == phase]


def test_it_learns_to_describe(world, settings, tmp_path):
    features, texts = world
    longer = {"max_epochs": 30, "patience": 9, "stop_on": "loss", "dropout": 0.1, "hidden": 32}
    settings = settings.model_copy(update=longer)
    captioner = train(features, texts, settings, 0, tmp_path)
    held_out = captioner.meta["held_out_units"]
    out = captioner.decode(features[held_out], beam_size=10)
    nouns = [next(n for n in NOUNS if n in texts[unit][1]) for unit in held_out]
    right = [n in text.lower() for n, text in zip(nouns, out.captions, strict=True)]
    assert np.mean(right) >= 0.8
    losses = [float(row["val_loss"]) for row in history(tmp_path, "decoder")]
    assert min(losses) < 0.5 * losses[0]


def test_outputs_and_loading(world, settings, tmp_path):
    features, texts = world
    captioner = train(features, texts, settings, 1, tmp_path)
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
        train(features, texts, settings, seed, tmp_path / name)
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
    train(features, texts, settings, 0, tmp_path / "a")
    train(mapped, texts, settings, 0, tmp_path / "b")
    assert files(tmp_path / "a") == files(tmp_path / "b")


@pytest.mark.parametrize("epochs", [1, 3, 6])
def test_a_killed_run_resumes_to_the_same_bytes(world, settings, tmp_path, monkeypatch, epochs):
    features, texts = world
    train(features, texts, settings, 0, tmp_path / "whole")
    one_epoch, calls = fitting._one_epoch, []

    def killed(*arguments):
        if len(calls) == epochs:
            raise KeyboardInterrupt
        calls.append(1)
        return one_epoch(*arguments)

    monkeypatch.setattr(fitting, "_one_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        train(features, texts, settings, 0, tmp_path / "killed")
    assert set(files(tmp_path / "killed")) == {STATE}
    redone = []

    def counted(*arguments):
        redone.append(1)
        return one_epoch(*arguments)

    monkeypatch.setattr(fitting, "_one_epoch", counted)
    train(features, texts, settings, 0, tmp_path / "killed")
    assert len(redone) == 8 - epochs
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def test_a_foreign_state_is_not_resumed(world, settings, tmp_path, monkeypatch, caplog):
    features, texts = world

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting.StateFile, "finish", killed)
    with pytest.raises(KeyboardInterrupt):
        train(features, texts, settings, 0, tmp_path)
    state = (tmp_path / STATE).read_bytes()
    monkeypatch.undo()
    changed = features.copy()
    changed[0, 0, 0] += 1
    wider = settings.model_copy(update={"hidden": 17})
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
        train(*request, afresh, code=code)
        train(*request, edited, code=code)
        assert "starting afresh" in caplog.text
        for name in ("weights.safetensors", "history.csv"):
            assert (edited / name).read_bytes() == (afresh / name).read_bytes()
    (tmp_path / STATE).write_bytes(b"junk")
    with pytest.raises(UserError, match="damaged"):
        train(features, texts, settings, 0, tmp_path)


def test_published_training_ends_with_the_last_epoch(world, settings, tmp_path):
    features, texts = world
    settings = settings.model_copy(
        update={"lr": 0.1, "max_epochs": 4, "patience": 9, "stop_on": "loss", "keep": "last"}
        | {"lm_hold_out": "description"}
    )
    captioner = train(features, texts, settings, 0, tmp_path)
    corpus = build_corpus(texts, settings.hold_out, 0, "description")
    arguments = {"settings": settings, "seed": 0, "device": "cpu"}
    prior = LanguageTask(corpus, captioner.tokenizer, **arguments)
    prior.model.load_state_dict(captioner.language_model.state_dict())
    losses = [float(row["val_loss"]) for row in history(tmp_path, prior.name)]
    assert len(losses) == 4
    assert prior.evaluate()["val_loss"] == pytest.approx(losses[-1], rel=1e-6)


def test_returned_weights_are_those_of_the_best_row(world, settings, tmp_path):
    features, texts = world
    settings = settings.model_copy(
        update={"lr": 0.1, "max_epochs": 30, "patience": 1, "stop_on": "loss"}
    )
    captioner = train(features, texts, settings, 0, tmp_path)
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
    exemplars, _ = task.model.prepare(task._rows(np.unique(corpus.train.units)))
    rows = exemplars.features.flatten(0, 1).detach()
    torch.testing.assert_close(rows.mean(0), torch.zeros(F), atol=1e-4, rtol=0)
    torch.testing.assert_close(rows.std(0, correction=0), torch.ones(F), atol=1e-3, rtol=0)
    raw = settings.model_copy(update={"standardise": False})
    task = DecoderTask(corpus, Tokenizer(corpus.vocabulary), features, raw, 0, "cpu")
    assert task.model.feature_scale.tolist() == [1.0] * F


def test_products_in_bfloat16_learn_as_well(world, settings, tmp_path):
    features, texts = world
    settings = settings.model_copy(update={"max_epochs": 12, "stop_on": "loss", "patience": 12})
    losses = {}
    for precision in ("float32", "bfloat16"):
        chosen = settings.model_copy(update={"precision": precision})
        captioner = train(features, texts, chosen, 0, tmp_path / precision)
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
    settings = settings.model_copy(update={"language_model": False, "max_epochs": 1})
    assert train(features, texts, settings, 0, tmp_path).language_model is None
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
        train(features, texts[:-1], settings, 0, tmp_path)
    with pytest.raises(UserError, match="float64"):
        train(features.astype(float), texts, settings, 0, tmp_path)
    broken = features.copy()
    broken[4, 1, 2] = np.inf
    with pytest.raises(UserError, match="unit 4 are not finite"):
        train(broken, texts, settings, 0, tmp_path)
    with pytest.raises(UserError, match="5 of 5 units have annotations"):
        train(features[:5], texts[:5], settings, 0, tmp_path)
    wild = settings.model_copy(update={"lr": 1e38})
    with pytest.raises(UserError, match=r"diverged in epoch \d+ .* lower captioner.lr"):
        train(features, texts, wild, 0, tmp_path)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"hiden": 3}, "captioner: hiden: unknown key; did you mean hidden"),
        ({"hidden": 0}, "captioner: hidden: .* greater than or equal to 1, got 0"),
        ({"hold_out": 1.0}, "less than 1, got 1.0"),
        ({"stop_on": "blue"}, "did you mean bleu"),
        ({"precision": "float16"}, "did you mean bfloat16"),
        ({"splits": {"within": {"hiden": 3}}}, r"splits.within.hiden: .* did you mean hidden"),
        ({"splits": {"all": {"stop_on": "blue"}}}, r"splits.all.stop_on: .* did you mean bleu"),
        ({"splits": {"all": {"dropout": 1.0}}}, r"splits.all.dropout: .* less than 1, got 1.0"),
    ],
)
def test_refused_settings(values, sentence):
    with pytest.raises(UserError, match=sentence):
        parse(CaptionerSpec, values, "captioner")


def test_settings_survive_json():
    settings = CaptionerSettings(hidden=7, attention=3)
    assert CaptionerSettings.model_validate_json(canonical(settings)) == settings
