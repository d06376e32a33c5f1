"""Random weights of the built-in networks, stored as their publishers store them.

What a reader must cope with is there: old names of tensors, wrappers, checkpoints of a training,
the prefix of a parallel module, files without the counters of batch normalization, the pickle that
came before the zip. Normalisation is fitted to a few pictures: at its initial values, activations
of a deep residual network leave the range of half precision.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from milan_core.core.files import atomic_path
from milan_core.core.seeding import generator, seed_torch
from milan_core.networks.inputs import prepare
from milan_core.networks.mapping import COUNTER
from milan_core.networks.zoo import LoadedModel, load_network

State = dict[str, torch.Tensor]
DENSE = 5_000_000  # a dense layer of more weights than this repeats one column


def write_weights(
    name: str, entry: Mapping[str, Any], path: Path, pictures: np.ndarray, seed: int
) -> None:
    """Write the file of a network.

    Args:
        name: of the built-in network, which decides the form of the file.
        entry: of `model_zoo`, complete.
        path: of the file.
        pictures: uint8 (n, H, W, 3), that normalization is fitted to.
        seed: of the weights; every name has its own.

    """
    network = load_network(entry, weights={"source": "random", "seed": _own(seed, name)})
    form = form_of(name)
    if form is _generator:
        _divide_by_norms(network.module)
    _fit_norms(network, pictures, seed)
    stored, options = form(network.module.state_dict(), name)
    with atomic_path(path) as temporary:
        torch.save(stored, temporary, **options)


def _own(seed: int, name: str) -> int:
    return int(generator(seed, "weights", name).integers(2**31))


def _fit_norms(network: LoadedModel, pictures: np.ndarray, seed: int) -> None:
    """Give every batch normalization the statistics of what comes to it."""
    norms = [part for part in network.module.modules() if isinstance(part, nn.BatchNorm2d)]
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
        norm.train()
    with torch.inference_mode():
        network.module(_inputs(network, pictures, seed))
    network.module.eval()


def _inputs(network: LoadedModel, pictures: np.ndarray, seed: int) -> torch.Tensor:
    if network.input.kind == "images":
        return prepare(pictures, network.input)
    from milan_core.networks.generators.latents import latent_codes

    module: Any = network.module
    return torch.from_numpy(latent_codes(len(pictures), module.code_size, module.classes, seed))


# ---------------------------------------------------------------------------- forms of files


def _plain(state: State, name: str) -> tuple[Any, dict[str, Any]]:
    """The state dictionary alone."""
    return _thinned(state), {}


def _old_densenet(state: State, name: str) -> tuple[Any, dict[str, Any]]:
    """Names from when modules could have a dot in theirs: norm.1 for norm1."""
    old = re.compile(r"(denselayer\d+)\.(norm|conv)([12])\.")
    return {old.sub(r"\1.\2.\3.", key): value for key, value in _uncounted(state).items()}, {}


def _checkpoint(state: State, name: str) -> tuple[Any, dict[str, Any]]:
    """What a training script saves: the network in parallel, and where the training was."""
    inner = name.startswith(("alexnet", "vgg"))  # there, only the features run in parallel
    if inner:
        renamed = {key.replace("features.", "features.module."): v for key, v in state.items()}
    else:
        renamed = {f"module.{key}": value for key, value in state.items()}
    optimizer = {"state": {}, "param_groups": [{"lr": 0.001, "params": [0]}]}
    facts = {"epoch": 90, "arch": name.partition("_imagenet")[0], "best_acc1": torch.tensor(0.0)}
    return {**facts, "state_dict": _thinned(renamed), "optimizer": optimizer}, {}


def _wrapped(state: State, name: str) -> tuple[Any, dict[str, Any]]:
    """A state dictionary under its key, in the old pickle, without counters."""
    stored = {"epoch": 90, "state_dict": _thinned(_uncounted(state))}
    return stored, {"_use_new_zipfile_serialization": False}


def _generator(state: State, name: str) -> tuple[Any, dict[str, Any]]:
    """BigGAN's names, with the singular vectors of its spectral normalization."""
    stored: State = {}
    for key, value in _uncounted(state).items():
        stored[published_name(key)] = value
        if _normalised(key, value):
            base = published_name(key).removesuffix(".weight")
            stored[f"{base}.u0"] = _left(key, value)
            stored[f"{base}.sv0"] = torch.ones(1)
    return stored, {}


Form = Callable[[State, str], tuple[Any, dict[str, Any]]]
FORMS: dict[str, Form] = {
    r"densenet\d+_imagenet": _old_densenet,
    r".*_imagenet_blurred": _checkpoint,
    r"(alexnet|resnet\d+)_places365": _wrapped,
    r"biggan_.*": _generator,
    r".*": _plain,
}


def form_of(name: str) -> Form:
    """What brings the tensors of a network into the form of its publisher."""
    return next(form for pattern, form in FORMS.items() if re.fullmatch(pattern, name))


def _uncounted(state: State) -> State:
    return {key: value for key, value in state.items() if not key.endswith(COUNTER)}


def _thinned(state: State) -> State:
    """Large dense layers with one column for all, which a file holds once: no layer reads them."""
    return {
        key: value[:, :1].clone().expand_as(value)
        if value.ndim == 2 and value.numel() > DENSE
        else value
        for key, value in state.items()
    }


# ---------------------------------------------------------------------------- BigGAN

BLOCKS = (
    (r"^attn4\.", "blocks.4.1."),
    (r"^layer(\d)\.", r"blocks.\1.0."),
    (r"^output_norm\.weight$", "output_layer.0.gain"),
    (r"^output_norm\.bias$", "output_layer.0.bias"),
    (r"^output_norm\.running_", "output_layer.0.stored_"),
    (r"^output_conv\.", "output_layer.2."),
    (r"(\.bn\d)\.norm\.running_", r"\1.stored_"),
)


def published_name(key: str) -> str:
    """BigGAN-PyTorch's name of a tensor of our generator."""
    for pattern, replacement in BLOCKS:
        key = re.sub(pattern, replacement, key)
    return key


def _normalised(key: str, value: torch.Tensor) -> bool:
    return key.endswith(".weight") and value.ndim > 1 and not key.startswith("shared.")


def _left(key: str, value: torch.Tensor) -> torch.Tensor:
    """A row vector (1, outputs), the same for a tensor's name in every process."""
    with torch.random.fork_rng(devices=[]):
        seed_torch(0, "left singular vector", key)
        return torch.randn(1, len(value))


def _divide_by_norms(module: nn.Module) -> None:
    """Scale weights to the norm 1, by which a reader divides them, and switch the attention on."""
    from milan_core.networks.adapters.biggan_keys import spectral_norm

    state = module.state_dict()
    for key, value in state.items():
        if _normalised(key, value):
            value.div_(spectral_norm(value.flatten(1), _left(key, value)))
    state["attn4.gamma"].fill_(0.5)
