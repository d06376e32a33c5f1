"""Call a network on a batch: in its precision, uncompiled, and with a sentence when it fails.

Batches come channels last, which is faster. Code that reads them by `view` needs them as they are
indexed; that shows in its first failure, and `again` then gives it such batches from there on.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from weakref import WeakSet

import torch
from torch import nn

from milan_core.core.errors import UserError, first_line

Result = TypeVar("Result")

_INDEXED: WeakSet[nn.Module] = WeakSet()  # networks that need memory in the order of the axes
_MINDS_MEMORY = re.compile(r"view size is not compatible|contiguous", re.IGNORECASE)


class FailedForward(UserError):
    """A network raised on its input."""


class OtherMemory(FailedForward):
    """A network could not read its input in this order of memory; its next call has another."""


def again(run: Callable[[], Result]) -> Result:
    """The result of `run`; run once more where the first call raised `OtherMemory`."""
    try:
        return run()
    except OtherMemory:
        return run()


def uncompiled(model: nn.Module) -> nn.Module:
    """The module that `torch.compile` wrapped, or the module itself."""
    inner = getattr(model, "_orig_mod", None)
    return inner if isinstance(inner, nn.Module) else model


def forward(model: nn.Module, *inputs: torch.Tensor) -> Any:
    """Call the model on copies; when it raises, say with which input, in one sentence.

    Programs of `torch.compile` inside the model run as plain Python, so that hooks are called.

    Raises:
        OtherMemory: once for a network that cannot read what is not contiguous; see `again`.
        UserError: when the model raises.

    """
    given = copies(model, inputs)
    try:
        with _eager():
            return model(*given)
    except UserError:
        raise
    except Exception as error:
        shapes = " and ".join(str(tuple(value.shape)) for value in inputs)
        msg = (
            f"{type(model).__name__} cannot run on input of shape {shapes}: {first_line(error)}; "
            f"{_hint(error, model)}"
        )
        if model not in _INDEXED and _MINDS_MEMORY.search(str(error)):
            _INDEXED.add(model)
            raise OtherMemory(msg) from error
        raise FailedForward(msg) from error


def copies(model: nn.Module, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Inputs that the model may change: its first operation may be in place, as `x.sub_(mean)`."""
    order = torch.contiguous_format if model in _INDEXED else torch.preserve_format
    return [_as_model(model, value).clone(memory_format=order) for value in inputs]


def _eager() -> contextlib.AbstractContextManager[Any]:
    if "torch._dynamo" not in sys.modules:  # nothing is compiled, and importing it takes seconds
        return contextlib.nullcontext()
    stance: contextlib.AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance


def _as_model(model: nn.Module, value: torch.Tensor) -> torch.Tensor:
    """Inputs in the precision of the first convolution or dense layer, else of any parameter."""
    if not value.is_floating_point():
        return value
    dense = (nn.modules.conv._ConvNd, nn.Linear)
    weights = [m.weight for m in model.modules() if isinstance(m, dense)]
    for tensor in (*weights, *model.parameters()):
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point():
            return value if tensor.element_size() == 1 else value.to(tensor.dtype)
    return value


def _hint(error: Exception, model: nn.Module) -> str:
    text = str(error)
    channels = re.search(r"to have (\d+) channels, but got (\d+)", text)
    if channels and channels[1] in ("1", "3", "4"):
        return (
            f"it takes {channels[1]} channels: set `input: {{channels: {channels[1]}, mean: [...], "
            "std: [...]}` (--channels)"
        )
    if channels:
        return (
            f"it takes {channels[1]} channels, and stored images 1, 3 or 4 (`input.channels`): "
            "milan.mine takes ready-made tensors of any form"
        )
    if missing := re.search(r"missing \d+ required positional arguments?: (.+)", text):
        return (
            f"its forward also wants {missing[1]}: wrap it in a module whose forward takes the "
            "image alone"
        )
    if _MINDS_MEMORY.search(text):
        return "its forward reads a tensor by `view`: use `reshape`, or `contiguous()` before it"
    types = dict.fromkeys(
        str(p.dtype).removeprefix("torch.") for p in model.parameters() if p.is_floating_point()
    )
    if len(types) > 1 and re.search(r"\b(d?type|Half|BFloat16|Float)\b", text):
        return (
            f"its parameters are {' and '.join(types)}: give it one type in the factory, such as "
            "by `.float()`"
        )
    if re.search(r"shape|size|dimension|match|height|width", text, re.IGNORECASE):
        return "check the input size of this model (`input.size`, or height and width)"
    return f"its forward raised {type(error).__name__}: check its kwargs and its code"
