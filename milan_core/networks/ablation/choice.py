"""Which method serves ablations at a layer: the fastest that agrees with whole forward passes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from milan_core.networks.ablation.closed_form import closed
from milan_core.networks.ablation.methods import Masks, Method, copied, mapped, plain, stacked
from milan_core.networks.ablation.recording import Plan
from milan_core.networks.ablation.replacement import Values
from milan_core.networks.ablation.replay import Memory

_log = logging.getLogger(__name__)

_METHODS: dict[str, Method] = {
    "closed form": closed,
    "stacked": stacked,
    "mapped": mapped,
    "copied": copied,
    "plain": plain,
}
State = dict[str, list[int]]  # units to ablate, per layer


@dataclass(frozen=True)
class Choice:
    """A method and its name."""

    name: str
    method: Method

    @classmethod
    def by_trial(
        cls,
        model: nn.Module,
        plan: Plan,
        memory: Memory,
        values: Mapping[str, Values],
        layers: Sequence[str],
        masks_of: Callable[[Sequence[State]], Masks],
    ) -> Choice:
        """Try the methods on ablations in `layers`, the first of which is the earliest."""
        strongest = {name: _strongest(memory.layers[name], values[name]) for name in layers}
        first = layers[0]
        states: list[State] = [{first: [unit]} for unit in strongest[first]]
        states.append(strongest)  # together, and with units of later layers
        masks = masks_of(states)
        wanted = plain(model, plan, memory, values, masks)
        for name, method in _METHODS.items():
            if method is plain or (method is closed and len(layers) > 1):
                continue
            try:
                logits = method(model, plan, memory, values, masks)
            except Exception as error:
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            else:
                if _agree(logits, wanted):
                    _log.debug("ablations at %s: %s", " and ".join(layers), name)
                    return cls(name, method)
                reason = "its logits differ from those of whole forward passes"
            level = logging.DEBUG if method is closed else logging.INFO
            _log.log(level, "ablations at %s: not %s: %s", " and ".join(layers), name, reason)
        _log.warning("ablations at %s: whole forward passes, which is slow", " and ".join(layers))
        return cls("plain", plain)


def effective(state: State, changing: dict[str, np.ndarray]) -> State:
    """A state without units at its beginning that already give their replacement, in this batch.

    Only the first layer can be judged so: ablations there change what later layers give.
    """
    left = dict(state)
    for name, units in state.items():
        if kept := [unit for unit in units if changing[name][unit]]:
            left[name] = kept
            break
        del left[name]
    return left


def _strongest(output: torch.Tensor, values: Values, count: int = 2) -> list[int]:
    """The units of a layer that an ablation changes most."""
    others = [axis for axis in range(output.ndim) if axis != values.axis]
    change = (output - values.like(output)).abs().float().mean(dim=others)
    return change.topk(min(count, len(change))).indices.tolist()


def _agree(logits: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Equal up to summation order: within the root of the type's precision of the largest logit."""
    if logits.shape != wanted.shape:
        return False
    scale = float(wanted.abs().max())
    tolerance = torch.finfo(wanted.dtype).eps ** 0.5 * max(scale, 1e-30)
    return bool(torch.allclose(logits, wanted, rtol=0.0, atol=tolerance, equal_nan=True))
