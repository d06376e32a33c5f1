"""A sparse autoencoder of one layer: a dictionary of directions that can be described as units.

Activations of all positions are written as sparse, non-negative sums of unit directions: with
x' = (x - center) / scale, f = ReLU(E x' + b) and x' ~ D^T f, the loss is
|x' - D^T f|^2 + sparsity * |f|. The saved encoder has the scale folded in, so that
`directions: {matrix: encoder, bias: encoder_bias, center: center, relu: true}` gives f itself.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import nn

from milan_core.core.errors import UserError
from milan_core.core.options import Section
from milan_core.core.progress import tracked
from milan_core.core.seeding import generator, torch_generator
from milan_core.core.tensors import save_tensors
from milan_core.networks.inputs import prepare
from milan_core.networks.probe.settle import settle
from milan_core.networks.trace import Trace
from milan_core.networks.zoo import LoadedModel

DICTIONARY_KIND = "milan-dictionary"
_BATCH = 64  # images in a forward pass


class DictionaryOptions(Section):
    """Options of `train_dictionary`; a position is one cell of the layer's map in one image."""

    units: int = Field(256, gt=0, description="Directions of the dictionary")
    sparsity: float = Field(1.0, description="Weight of the sum of the codes in the loss")
    steps: int = Field(3000, gt=0, description="Steps of Adam")
    batch_size: int = Field(1024, gt=0, description="Positions in a step")
    learning_rate: float = Field(1e-3, gt=0, description="Learning rate of Adam")
    positions: int = Field(
        200_000, gt=0, description="Most positions to keep, drawn evenly over the images"
    )


def train_dictionary(
    network: LoadedModel,
    images: np.ndarray,
    layer: str,
    options: DictionaryOptions,
    seed: int,
    path: Path | str,
) -> dict[str, float]:
    """Train on the activations of `layer` over `images` (uint8 (N, H, W, 3)) and write the file.

    Returns:
        explained: share of the variance that the sums explain; active: mean number of directions
        that are on at a position; dead: directions that are never on.

    """
    rows = collect_positions(network, images, layer, options.positions, seed)
    center = rows.mean(0)
    scale = float((rows - center).pow(2).mean().sqrt()) or 1.0
    rows = (rows - center) / scale
    encoder, bias, decoder = _train(rows, options, seed)
    facts = _facts(rows, encoder, bias, decoder)
    arrays = {
        "encoder": (encoder / scale).numpy(),
        "encoder_bias": bias.numpy(),
        "decoder": decoder.numpy(),
        "center": center.numpy(),
    }
    save_tensors(path, DICTIONARY_KIND, 1, arrays, {"layer": layer, "seed": seed, **facts})
    return facts


def collect_positions(
    network: LoadedModel, images: np.ndarray, layer: str, count: int, seed: int
) -> torch.Tensor:
    """float32 (positions, C): activations of a layer at random cells of every image."""
    rng = generator(seed, "dictionary positions", layer)
    share = max(1, count // len(images))
    positions: list[torch.Tensor] = []

    def keep(name: str, tensor: torch.Tensor) -> None:
        maps, _ = network.layout.maps(tensor, name)
        cells = maps.float().flatten(2).transpose(1, 2)  # [b, h * w, C]
        for row in cells[: keep_rows[0]]:
            chosen = rng.permutation(len(row))[:share]
            positions.append(row[torch.from_numpy(np.sort(chosen))].cpu())

    settle(
        replace(network, layers=[layer], post_relu=[]),
        prepare(images[:2], network.input),
        lambda batch: batch,
    )
    keep_rows = [0]
    with torch.no_grad(), Trace(network.module, layer, keep) as trace:
        if len(trace.layers) != 1:
            msg = f"layer {layer!r} is {len(trace.layers)} layers; a dictionary belongs to one"
            raise UserError(msg)
        for begin in tracked(range(0, len(images), _BATCH), "activations", "batch"):
            part = images[begin : begin + _BATCH]
            keep_rows[0] = len(part)
            trace(prepare(part, network.input))
    return torch.cat(positions).clone()


def _train(
    rows: torch.Tensor, options: DictionaryOptions, seed: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Encoder (U, C), bias (U,) and decoder (U, C) with directions of length 1."""
    random = torch_generator(seed, "dictionary")
    start = torch.randn(options.units, rows.shape[1], generator=random)
    start = nn.functional.normalize(start, dim=1)
    decoder = nn.Parameter(start.clone())
    encoder = nn.Parameter(start.clone())
    bias = nn.Parameter(torch.zeros(options.units))
    optimizer = torch.optim.Adam([encoder, bias, decoder], lr=options.learning_rate)
    for _ in tracked(range(options.steps), "training", "step"):
        chosen = torch.randint(len(rows), (options.batch_size,), generator=random)
        batch = rows[chosen]
        codes = torch.relu(batch @ encoder.T + bias)
        error = (batch - codes @ decoder).pow(2).sum(1).mean()
        loss = error + options.sparsity * codes.sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            decoder.copy_(nn.functional.normalize(decoder, dim=1))
    return encoder.detach(), bias.detach(), decoder.detach()


def _facts(rows: torch.Tensor, encoder: Any, bias: Any, decoder: Any) -> dict[str, float]:
    with torch.no_grad():
        codes = torch.relu(rows @ encoder.T + bias)
        residue = (rows - codes @ decoder).pow(2).sum()
        on = codes > 0
    return {
        "explained": round(1 - float(residue / rows.pow(2).sum()), 4),
        "active": round(float(on.sum(1).float().mean()), 2),
        "dead": int((~on.any(0)).sum()),
        "positions": len(rows),
    }
