"""The encoder of a captioner is found in the folder of its run, wherever the user works."""

import pytest
import torch
from safetensors.torch import save_file

from milan_core.captioner.encoder import encoder_of
from milan_core.captioner.features.options import JobEncoder
from milan_core.captioner.features.pool import load_encoder
from milan_core.core.errors import UserError
from milan_core.networks.minis.cnn import resnet_mini

PLACE = "resources/assets/mini/weights.safetensors"


class Trained:
    """A captioner of a run."""

    def __init__(self, run, expected, place=PLACE):
        self.origin = run / "results/captioners/all/seed0"
        weights = {"source": "file", "path": place}
        model = {
            "factory": "milan_core.networks.minis.cnn:resnet_mini",
            "kwargs": {"classes": 2},
            "layers": ["blocks.0"],
            "weights": weights,
        }
        record = {"spec": {"kind": "pyramid", "model": model, "layers": ["blocks.0"]}}
        self.meta = {"encoder": record, "encoder_hash": expected}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run's folder with the encoder's weights, and their digest."""
    torch.manual_seed(0)
    network = resnet_mini(classes=2)
    path = tmp_path / "run" / PLACE
    path.parent.mkdir(parents=True)
    save_file(network.state_dict(), path)
    (tmp_path / "run/results/captioners/all/seed0").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    record = Trained(tmp_path / "run", "").meta["encoder"]
    return tmp_path / "run", load_encoder(JobEncoder.from_record(record)).hash


def test_the_encoder_is_found_from_another_folder(run, tmp_path, monkeypatch):
    folder, expected = run
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert encoder_of(Trained(folder, expected)).hash == expected


def test_a_link_out_of_the_run_is_refused(run, tmp_path, monkeypatch):
    folder, expected = run
    outside = tmp_path / "outside.safetensors"
    (folder / PLACE).rename(outside)
    (folder / PLACE).symlink_to(outside)
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="encoder of the captioner"):
        encoder_of(Trained(folder, expected))


def test_a_missing_encoder_is_one_sentence_with_what_brings_it(run, tmp_path, monkeypatch):
    folder, expected = run
    (folder / PLACE).unlink()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"neither in this folder .*; `milan fetch mini` brings"):
        encoder_of(Trained(folder, expected))
    with pytest.raises(UserError, match=r"above the captioner; give them with --encoder-weights"):
        encoder_of(Trained(folder, expected, "w.pt"))
