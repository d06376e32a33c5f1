"""Training: it learns, it repeats itself byte for byte, and it survives being killed."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from milan_core.core.errors import UserError
from milan_core.networks.options import Architecture
from milan_core.networks.training import train as training
from milan_core.networks.training.objectives import Classify
from milan_core.networks.training.train import Resume, evaluate, train_network
from milan_core.networks.weight_options import TrainSettings
from milan_core.networks.weights import save_weights
from milan_core.networks.zoo import load_network

INPUT = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "size": None}
SPEC = {
    # Has dropout, so randomness in each step.
    "factory": "milan_core.networks.minis.cnn:alexnet_mini",
    "kwargs": {"classes": 3, "widths": [4, 6, 8, 8, 6]},
    "input": INPUT,
}
MODEL = Architecture(**SPEC)
SETTINGS = TrainSettings(epochs=4, batch_size=16, flip=True)


def train(data, folder, seed=5, code="", **settings):
    """Train on labels and write the weights; the checkpoint stays, as after a full disk."""
    chosen = SETTINGS.model_copy(update=settings)
    objective = Classify(MODEL.input, data.labels)
    resume = Resume(folder / "checkpoint.pt", code)
    module, history = train_network(MODEL, data, chosen, seed, objective, resume=resume)
    save_weights(module, folder / "weights.safetensors")
    return module, history


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
    model, history = train(data, tmp_path, seed=0, epochs=8)
    assert not model.training
    weights = {"source": "file", "path": str(tmp_path / "weights.safetensors")}
    loaded = load_network({**SPEC, "weights": weights})
    assert evaluate(loaded.module, data, loaded.input) == evaluate(model, data, MODEL.input) > 0.9
    assert len(history) == 8
    assert history[-1][0] < history[0][0]


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
            train(data, folder)


def test_killed_run_ends_with_the_same_bytes(tmp_path, monkeypatch):
    data, state = colours(), torch.get_rng_state()
    train(data, tmp_path / "whole")
    assert torch.equal(torch.get_rng_state(), state), "the caller's generator is left alone"
    train_until_killed(monkeypatch, data, tmp_path / "killed")
    assert not (tmp_path / "killed" / "weights.safetensors").exists()
    train(data, tmp_path / "killed")
    assert weights_of(tmp_path / "killed") == weights_of(tmp_path / "whole")
    train(data, tmp_path / "other seed", seed=6)
    assert weights_of(tmp_path / "other seed") != weights_of(tmp_path / "whole")
    (tmp_path / "killed" / "checkpoint.pt").write_bytes(b"half")
    with pytest.raises(UserError, match="damaged"):
        train(data, tmp_path / "killed")


def test_no_damaged_bit_of_a_checkpoint_is_resumed(tmp_path, monkeypatch):
    data = colours()
    train_until_killed(monkeypatch, data, tmp_path / "killed")
    path = tmp_path / "killed" / "checkpoint.pt"
    good = path.read_bytes()
    for place in np.linspace(0, 8 * len(good) - 1, 60).astype(int).tolist():
        changed = bytearray(good)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        with pytest.raises(UserError, match="damaged"):
            train(data, tmp_path / "killed")


@pytest.mark.parametrize("change", [{"seed": 6}, {"code": "newer sources"}])
def test_checkpoint_of_another_training_is_not_resumed(tmp_path, monkeypatch, caplog, change):
    """An edited setting or edited code starts again: no stop, and no mixture of two trainings."""
    data = colours()
    train(data, tmp_path / "afresh", **change)
    original, done = training._Run.epoch, []

    train_until_killed(monkeypatch, data, tmp_path / "edited")

    def counted(self, train, epoch, seed):
        done.append(epoch)
        return original(self, train, epoch, seed)

    monkeypatch.setattr(training._Run, "epoch", counted)
    train(data, tmp_path / "edited", **change)
    assert done == list(range(SETTINGS.epochs)), "every epoch is trained again"
    assert "starting again" in caplog.text
    assert weights_of(tmp_path / "edited") == weights_of(tmp_path / "afresh")


ACT = "import torch\ndef act(x):\n    return torch.relu(x)\n"
NET = """
from torch import nn
from acts import act

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(act(self.conv(x)).mean((2, 3)))
"""


def test_a_killed_training_of_an_edited_network_starts_again(tmp_path):
    """The edit is in a file that the network's file imports, and leaves every tensor's shape."""
    import os
    import subprocess
    import sys

    script = """
import sys, numpy as np, torch
sys.path.insert(0, {tests!r})
torch.set_num_threads(1)
from pathlib import Path
from networks.training import test_train as t
t.MODEL = t.Architecture(factory="net.py:Net", input=t.INPUT)
kill, folder = sys.argv[1] == "kill", Path(sys.argv[2])
original = t.training._Run.epoch
def epoch(self, train, number, seed):
    if kill and number == 2:
        raise SystemExit(0)
    print("epoch", number, file=sys.stderr)
    return original(self, train, number, seed)
t.training._Run.epoch = epoch
t.train(t.colours(), folder)
"""
    from paths import ROOT, TESTS

    (tmp_path / "net.py").write_text(NET)

    def run(mode, folder):
        done = subprocess.run(
            [sys.executable, "-c", script.format(tests=str(TESTS)), mode, folder],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stderr

    (tmp_path / "acts.py").write_text(ACT)
    run("kill", "out")
    (tmp_path / "acts.py").write_text(ACT.replace("relu", "abs"))
    log = run("whole", "out")
    assert log.count("epoch") == SETTINGS.epochs
    assert "belongs to another training run: starting again" in log
    run("whole", "fresh")
    assert weights_of(tmp_path / "out") == weights_of(tmp_path / "fresh")


def test_data_that_cannot_be_trained_on(tmp_path):
    empty = SimpleNamespace(images=None, labels=np.zeros(0, int), fingerprint="")
    with pytest.raises(UserError, match="no images"):
        train(empty, tmp_path)
    with pytest.raises(UserError, match="no images"):
        evaluate(torch.nn.Identity(), empty, MODEL.input)


def test_divergence_is_reported(tmp_path):
    with pytest.raises(UserError, match="training diverged"):
        train(colours(), tmp_path, learning_rate=1e38)
