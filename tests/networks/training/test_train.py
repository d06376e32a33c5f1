"""Training: it learns, it repeats itself byte for byte, and it survives being killed."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.networks.inputs import InputSpec
from milan_core.networks.training import train as training
from milan_core.networks.training.train import evaluate, train_classifier
from milan_core.networks.zoo import load_model

INPUT = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
SPEC = {
    # Has dropout, so randomness in each step.
    "factory": "milan_core.networks.minis.cnn:alexnet_mini",
    "kwargs": {"classes": 3, "widths": [4, 6, 8, 8, 6]},
    "input": INPUT,
}
SETTINGS = {"epochs": 4, "batch_size": 16, "flip": True}


def colours(count=60):
    """Three classes: red, green and blue images with noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 3
    images = rng.integers(0, 120, (count, 32, 32, 3))
    images[np.arange(count), :, :, labels] += 100
    return SimpleNamespace(images=images.astype(np.uint8), labels=labels, fingerprint="colours")


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_learns_and_repeats_its_bytes(tmp_path):
    data = colours()
    model = train_classifier(SPEC, data, {**SETTINGS, "epochs": 8}, 0, tmp_path / "a")
    assert not model.training
    weights = {"source": "file", "path": str(tmp_path / "a" / "weights.safetensors")}
    loaded = load_model({**SPEC, "weights": weights})
    assert (
        evaluate(loaded, data) == evaluate(model, data, input=InputSpec.from_mapping(INPUT)) > 0.9
    )
    table = read_csv(tmp_path / "a" / "training.csv", ["epoch", "loss", "seconds"])
    assert [row["epoch"] for row in table] == [str(i) for i in range(1, 9)]
    assert float(table[-1]["loss"]) < float(table[0]["loss"])


def weights_of(folder):
    return (folder / "weights.safetensors").read_bytes()


def train_until_killed(monkeypatch, data, folder):
    """Train with seed 5 and interrupt it in its third epoch: two are in the checkpoint."""
    original = training._Run.epoch

    def killed(self, train, epoch, seed):
        if epoch == 2:
            raise KeyboardInterrupt
        return original(self, train, epoch, seed)

    with monkeypatch.context() as patch:
        patch.setattr(training._Run, "epoch", killed)
        with pytest.raises(KeyboardInterrupt):
            train_classifier(SPEC, data, SETTINGS, 5, folder)


def test_killed_run_ends_with_the_same_bytes(tmp_path, monkeypatch):
    data, state = colours(), torch.get_rng_state()
    train_classifier(SPEC, data, SETTINGS, 5, tmp_path / "whole")
    assert torch.equal(torch.get_rng_state(), state), "the caller's generator is left alone"
    train_until_killed(monkeypatch, data, tmp_path / "killed")
    assert not (tmp_path / "killed" / "weights.safetensors").exists()
    train_classifier(SPEC, data, SETTINGS, 5, tmp_path / "killed")
    assert weights_of(tmp_path / "killed") == weights_of(tmp_path / "whole")
    train_classifier(SPEC, data, SETTINGS, 6, tmp_path / "other seed")
    assert weights_of(tmp_path / "other seed") != weights_of(tmp_path / "whole")
    assert not list(tmp_path.glob("*/checkpoint.pt")), "a finished training leaves no checkpoint"
    (tmp_path / "killed" / "checkpoint.pt").write_bytes(b"half")
    with pytest.raises(UserError, match="damaged"):
        train_classifier(SPEC, data, SETTINGS, 5, tmp_path / "killed")


@pytest.mark.parametrize("change", [{"seed": 6}, {"code": "newer sources"}])
def test_checkpoint_of_another_training_is_not_resumed(tmp_path, monkeypatch, caplog, change):
    """An edited setting or edited code starts afresh: no stop, and no mixture of two trainings."""
    data, given = colours(), {"seed": 5, "code": "", **change}
    train_classifier(SPEC, data, SETTINGS, **given, out=tmp_path / "afresh")
    original, done = training._Run.epoch, []

    train_until_killed(monkeypatch, data, tmp_path / "edited")

    def counted(self, train, epoch, seed):
        done.append(epoch)
        return original(self, train, epoch, seed)

    monkeypatch.setattr(training._Run, "epoch", counted)
    train_classifier(SPEC, data, SETTINGS, **given, out=tmp_path / "edited")
    assert done == list(range(SETTINGS["epochs"])), "every epoch is trained again"
    assert "starting afresh" in caplog.text
    assert weights_of(tmp_path / "edited") == weights_of(tmp_path / "afresh")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [({"epoch": 3}, "unknown key"), ({"epochs": 0}, "must be positive")],
)
def test_wrong_settings(tmp_path, settings, sentence):
    with pytest.raises(UserError, match=sentence):
        train_classifier(SPEC, colours(), settings, 0, tmp_path)


def test_data_that_cannot_be_trained_on(tmp_path):
    for labels, sentence in (([], "no images"), ([0, -1], "without a label")):
        data = SimpleNamespace(images=None, labels=np.array(labels, int), fingerprint="")
        with pytest.raises(UserError, match=sentence):
            train_classifier(SPEC, data, SETTINGS, 0, tmp_path)
    with pytest.raises(UserError, match="no images"):
        evaluate(torch.nn.Identity(), SimpleNamespace(labels=np.zeros(0)))


def test_divergence_is_reported(tmp_path):
    with pytest.raises(UserError, match="training diverged"):
        train_classifier(SPEC, colours(), {**SETTINGS, "learning_rate": 1e38}, 0, tmp_path)
