"""AdamW without torch's compiler: the first step of torch's own imports it, for 1 to 2 CPU-seconds.

The class below is torch's, and so are its numbers; only the wrappers around its methods are left
out, which tell a compiler where to stop.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable
from typing import Any

import torch

from milan_core.core import reproducible

_WRAPPED = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")


def adamw(parameters: Iterable[torch.nn.Parameter], **options: Any) -> torch.optim.Optimizer:
    """`torch.optim.AdamW(parameters, **options)` (Loshchilov and Hutter 2019, algorithm 2).

    Where results are to be reproducible it is the fused one: the others take roots by MKL, which
    rounds them otherwise on another maker's processor.
    """
    if reproducible.asked():
        options |= {"fused": True, "foreach": None}
    made: torch.optim.Optimizer = _plain_class()(parameters, **options)
    return made


@functools.cache
def _plain_class() -> type[torch.optim.AdamW]:
    base = torch.optim.AdamW
    methods = {name: inspect.unwrap(getattr(base, name)) for name in _WRAPPED}
    step = inspect.unwrap(base.step)

    @torch.no_grad()
    def plain_step(self: torch.optim.AdamW, closure: Any = None) -> Any:
        return step(self, closure)

    return type(base.__name__, (base,), {**methods, "step": plain_step, "__doc__": base.__doc__})
