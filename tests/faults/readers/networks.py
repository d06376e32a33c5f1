"""Weights and captioners."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from faults.readers.declare import reader

GOLDEN = Path(__file__).resolve().parents[2] / "data/golden/decoder"


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
