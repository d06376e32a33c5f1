"""Latent codes of a class-conditional generator, and the images that it draws from them.

The paper probes BigGAN with 100,000 codes z ~ N(0, I), not truncated, and uniform classes (spec
2.8). `latents.npy` holds float32 (N, D + 1), the class in the last column.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from milan_core.core.arrays import write_npy
from milan_core.core.errors import UserError
from milan_core.core.seeding import generator
from milan_core.images.kinds.latents import Latents
from milan_core.images.store import Dataset
from milan_core.images.writing import finish_folder, new_array, start_folder
from milan_core.networks.calling import forward
from milan_core.networks.kept import eval_mode
from milan_core.networks.options import Network
from milan_core.networks.weights import read_file
from milan_core.networks.zoo import load_network

BATCH = 32


def latent_codes(count: int, code_size: int, classes: int, seed: int) -> np.ndarray:
    """Seeded codes, float32 (count, code_size + 1): normal numbers, then a class."""
    codes = np.empty((count, code_size + 1), np.float32)
    codes[:, :-1] = generator(seed, "latents").standard_normal((count, code_size), np.float32)
    codes[:, -1] = generator(seed, "latent classes").integers(classes, size=count)
    return codes


def published_codes(folder: Path, code_size: int, classes: int) -> np.ndarray:
    """Codes of a published folder of tensors, float32 (N, code_size + 1) with the class last.

    One .pth file must hold floats (N, code_size), another one integers (N,).

    Raises:
        UserError: for other tensors, and codes that do not fit the generator.

    """
    codes, labels = _codes_and_classes(folder)
    if codes.shape[1] != code_size or labels.min() < 0 or labels.max() >= classes:
        msg = (
            f"{folder}: codes of {codes.shape[1]} numbers, classes {labels.min()} to "
            f"{labels.max()}; the generator takes {code_size} numbers and {classes} classes"
        )
        raise UserError(msg)
    return np.concatenate([codes, labels[:, None]], axis=1, dtype=np.float32)


def _codes_and_classes(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Codes (N, D) and classes (N,) of a folder, told apart by shape and dtype."""
    if not folder.is_dir():
        raise UserError(f"latent codes not found: {folder}; `milan fetch` brings them")
    tensors = {path.name: _tensor(path) for path in sorted(folder.glob("*.pth"))}
    codes = [x for x in tensors.values() if x.ndim == 2 and x.is_floating_point()]
    labels = [x for x in tensors.values() if x.ndim == 1 and not x.is_floating_point()]
    if len(codes) != 1 or len(labels) != 1 or len(codes[0]) != len(labels[0]) or not len(labels[0]):
        got = ", ".join(f"{k} {x.dtype} {tuple(x.shape)}" for k, x in tensors.items()) or "none"
        raise UserError(
            f"{folder}: expected two .pth files, codes (N, D) as floats and classes (N,) as whole "
            f"numbers; found {got}"
        )
    return codes[0].numpy(), labels[0].numpy()


def _tensor(path: Path) -> torch.Tensor:
    value = read_file(path)
    if not isinstance(value, torch.Tensor):
        raise UserError(f"{path} holds {type(value).__name__}; expected one tensor")
    return value


def build_latents(
    name: str,
    spec: Latents,
    model: Network,
    out: Path,
    device: str = "cpu",
) -> Dataset:
    """Draw the images of codes with the generator `model` into the data set folder `out`.

    Raises:
        UserError: for a network without `code_size` and `classes`, and unreadable codes.

    """
    options = spec.options
    module = load_network(model).module.to(device)
    code_size, classes = getattr(module, "code_size", None), getattr(module, "classes", None)
    if not isinstance(code_size, int) or not isinstance(classes, int):
        msg = f"dataset {name!r}: {spec.model!r} has no code_size and classes to draw from"
        raise UserError(msg)
    if options.path:
        codes = published_codes(Path(options.path).expanduser(), code_size, classes)
    else:
        codes = latent_codes(options.count, code_size, classes, spec.seed)
    start_folder(out)
    write_npy(out / "latents.npy", codes)
    shape = (len(codes), options.size, options.size, 3)
    with (
        new_array(out / "images.npy", shape, np.uint8) as images,
        eval_mode(module),
        torch.inference_mode(),
    ):
        for begin in range(0, len(codes), BATCH):
            images[begin : begin + BATCH] = _draw(
                module, codes[begin : begin + BATCH], options.size, device
            )
    return finish_folder(
        out,
        name=name,
        kind=spec.kind,
        options=options,
        seed=spec.seed,
        classes=[str(number) for number in range(classes)],
        labels=codes[:, -1].astype(np.int64),
        names=[f"drawn from code {number}" for number in range(len(codes))],
        credits=[],
    )


def _draw(module: torch.nn.Module, codes: np.ndarray, size: int, device: str) -> np.ndarray:
    """Images in [-1, 1] as uint8 (b, size, size, 3): truncated, not rounded; nearest pixels."""
    drawn = forward(module, torch.from_numpy(codes).to(device)).float()
    drawn = torch.nn.functional.interpolate(drawn, (size, size), mode="nearest")
    pixels = ((drawn + 1) * 127.5).clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).cpu().numpy()
