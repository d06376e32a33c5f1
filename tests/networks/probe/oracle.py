"""Exemplars by a forward hook that knows nothing of this package, to compare mined ones with."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn


def right(
    found: np.ndarray, model: nn.Module, layer: str, inputs: torch.Tensor, to_units: Callable
) -> float:
    """Share of units whose exemplars are the images with the largest values, ties allowed.

    Args:
        found: ids (units, k) that were mined.
        model: the network.
        layer: a module of it.
        inputs: all images, as the network reads them.
        to_units: brings the hooked output for n images to (n, places, units).

    """
    kept: list[torch.Tensor] = []
    hook = model.get_submodule(layer).register_forward_hook(
        lambda module, args, output: kept.append(
            output if isinstance(output, torch.Tensor) else output[0]
        )
    )
    model.eval()
    with torch.inference_mode():
        for begin in range(0, len(inputs), 8):
            model(inputs[begin : begin + 8])
    hook.remove()
    sizes = [len(inputs[begin : begin + 8]) for begin in range(0, len(inputs), 8)]
    best = torch.cat([to_units(out, n).amax(1) for out, n in zip(kept, sizes, strict=True)])
    if best.shape[1] != len(found):
        return 0.0
    values = best.double().numpy().T  # (units, images)
    k = found.shape[1]
    expected = np.sort(values, 1)[:, ::-1][:, :k]
    given = np.take_along_axis(values, found, 1)
    room = 1e-4 * np.abs(values).max(1, keepdims=True) + 1e-12
    return float((np.abs(expected - given) <= room).all(1).mean())
