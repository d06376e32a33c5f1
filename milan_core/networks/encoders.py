"""Encoders of sparse autoencoders, by the names that the libraries of the field give their tensors.

| library | tensors | center | activation |
|---|---|---|---|
| saev | W_enc (C, U), b_enc | none, or `center: b_dec` for its first versions | ReLU or TopK |
| ViT-Prisma | W_enc (C, U), b_enc, b_dec | b_dec | ReLU or TopK |
| overcomplete | encoder.final_block.0 (U, C), a BatchNorm | none | ReLU, TopK, JumpReLU |
| dictionary_learning | encoder (U, C), or W_enc (C, U) | b_dec, bias | ReLU, TopK, JumpReLU |

The number of units that a TopK keeps is `top_k`; files of weights do not hold it, but for one
library. Each library also scales some codes by the length of their decoder's direction; the scale
of a unit changes neither its exemplars nor its masks, and is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from milan_core.core.errors import UserError, unknown
from milan_core.networks.options import Direction

Tensors = Mapping[str, torch.Tensor]
PICKLES = (".pt", ".pth", ".pkl", ".ckpt", ".bin", ".gz")
_EPSILON = 1e-5  # of torch's BatchNorm1d


@dataclass(frozen=True)
class Encoder:
    """Codes of a position x: weight (x - center) + bias, then the activation.

    Attributes:
        weight: float32 (U, C).
        bias: float32 (U,).
        center: float32 (C,); None: nothing is subtracted.
        relu: negative codes become 0.
        threshold: float32 (U,); codes that are not above become 0. None: all stay.

    """

    weight: torch.Tensor
    bias: torch.Tensor
    center: torch.Tensor | None = None
    relu: bool = True
    threshold: torch.Tensor | None = None


def library_encoder(tensors: Tensors, entry: Direction, where: str) -> Encoder:
    """The encoder that a library saved, by `entry.dictionary`.

    Raises:
        UserError: for tensors that the library does not write, and keys that it does not need.

    """
    for key in ("matrix", "bias", "transpose", "relu"):
        if getattr(entry, key):
            raise UserError(
                f"{where}: `dictionary: {entry.dictionary}` names the tensors; leave out `{key}`"
            )
    assert entry.dictionary is not None
    return _LIBRARIES[entry.dictionary](_Reader(tensors, where), entry)


def refuse_pickle(path: Path) -> None:
    """Refuse files that could run code while they are read."""
    if path.suffix.lower() not in PICKLES:
        return
    raise UserError(
        f"{path} is a pickle, which can run code when it is read; write its tensors as safetensors "
        "once, with safetensors.torch.save_file (docs/models.md), and name that file"
    )


@dataclass(frozen=True)
class _Reader:
    """Tensors of a file, each looked at before it is used."""

    tensors: Tensors
    where: str

    def get(self, name: str, *shape: int) -> torch.Tensor:
        """A tensor of a shape; -1: any length. A single number fits any vector."""
        if name not in self.tensors:
            raise unknown("tensor", name, self.tensors, where=self.where)
        found = self.tensors[name]
        if len(shape) == 1 and found.numel() == 1 and shape != (1,):
            return found.reshape(1).expand(shape[0]).clone()
        fits = found.ndim == len(shape) and found.numel() > 0
        if not fits or any(w not in (-1, n) for w, n in zip(shape, found.shape, strict=True)):
            wanted = ", ".join("any" if n < 0 else str(n) for n in shape)
            raise UserError(
                f"{self.where}: {name} has shape {tuple(found.shape)}; expected ({wanted})"
            )
        return found

    def optional(self, name: str | None, *shape: int) -> torch.Tensor | None:
        return self.get(name, *shape) if name else None


def _w_enc(file: _Reader, center: str | None, threshold: str | None, *, relu: bool) -> Encoder:
    weight = file.get("W_enc", -1, -1).T.contiguous()
    units, channels = weight.shape
    return Encoder(
        weight,
        file.get("b_enc", units),
        file.optional(center, channels),
        relu=relu,
        threshold=file.optional(threshold, units),
    )


def _saev(file: _Reader, entry: Direction) -> Encoder:
    """Its TopK keeps values as they are, without a ReLU."""
    return _w_enc(file, entry.center, entry.threshold, relu=entry.top_k is None)


def _prisma(file: _Reader, entry: Direction) -> Encoder:
    return _w_enc(file, entry.center or "b_dec", entry.threshold, relu=True)


def _overcomplete(file: _Reader, entry: Direction) -> Encoder:
    """A linear layer, folded with the normalization that follows it; thresholds are logarithms."""
    block = "encoder.final_block"
    if any(".mlp_blocks." in name or ".attention_blocks." in name for name in file.tensors):
        raise UserError(
            f"{file.where}: the encoder has hidden layers, so its codes are no directions of the "
            "layer; choose a dictionary with a linear encoder"
        )
    weight = file.get(f"{block}.0.weight", -1, -1)
    units, channels = weight.shape
    bias = file.get(f"{block}.0.bias", units)
    if f"{block}.1.weight" in file.tensors:
        if f"{block}.1.running_var" not in file.tensors:
            raise UserError(
                f"{file.where}: the encoder normalizes each position over all units (LayerNorm), "
                "so its codes are no directions; choose one with a BatchNorm or without"
            )
        variance = file.get(f"{block}.1.running_var", units) + _EPSILON
        scale = file.get(f"{block}.1.weight", units) / variance.sqrt()
        shifted = bias - file.get(f"{block}.1.running_mean", units)
        weight, bias = weight * scale[:, None], shifted * scale
        bias = bias + file.get(f"{block}.1.bias", units)
    threshold = None
    if "thresholds" in file.tensors:  # a code at its threshold stays
        limits = file.get("thresholds", units).exp()
        threshold = torch.nextafter(limits, torch.full_like(limits, -torch.inf))
    return Encoder(weight, bias, file.optional(entry.center, channels), threshold=threshold)


def _dictionary_learning(file: _Reader, entry: Direction) -> Encoder:
    if "W_enc" in file.tensors:
        return _w_enc(file, entry.center, entry.threshold or "threshold", relu=True)
    for name in ("gate_bias", "r_mag"):
        if name in file.tensors:
            raise UserError(
                f"{file.where}: a gated autoencoder has two codes for a unit; choose another one"
            )
    if "k" in file.tensors:
        kept = int(file.get("k", 1)[0]) if file.tensors["k"].ndim else int(file.tensors["k"])
        if entry.threshold is None and entry.top_k != kept:
            raise UserError(
                f"{file.where}: trained with k = {kept}; set `top_k: {kept}` for a TopK, or "
                "`threshold: threshold` for a BatchTopK"
            )
    weight = file.get("encoder.weight", -1, -1)
    units, channels = weight.shape
    center = entry.center or next((n for n in ("b_dec", "bias") if n in file.tensors), None)
    return Encoder(
        weight,
        file.get("encoder.bias", units),
        file.optional(center, channels),
        threshold=file.optional(entry.threshold, units),
    )


_LIBRARIES: dict[str, Callable[[_Reader, Direction], Encoder]] = {
    "saev": _saev,
    "vit-prisma": _prisma,
    "overcomplete": _overcomplete,
    "dictionary_learning": _dictionary_learning,
}
