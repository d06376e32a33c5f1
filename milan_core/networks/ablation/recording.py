"""The calls of one forward pass, and which of them an ablation at a layer cannot change.

Everything that has returned before a layer returns is the same with and without an ablation at that
layer. `Plan` finds the outermost such calls; `replay` then answers them from memory. No graph of
the network is needed, so any Python code between the modules is allowed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from milan_core.core.errors import UserError
from milan_core.networks.calling import again, forward
from milan_core.networks.hooks import HookPoint
from milan_core.networks.trace import first_tensor, takes_hooks


@dataclass
class Call:
    """One call of a module in a forward pass."""

    module: nn.Module
    parent: Call | None
    end: int = -1  # position in the order of returns
    output: torch.Tensor | None = None  # None: the call gave something other than one tensor
    version: int = 0
    changed: bool = False  # a later in-place operation wrote into the output


@dataclass
class Plan:
    """Calls of a forward pass to remember for ablations at each of some layers."""

    layers: list[str]  # in the order in which they return
    finished: dict[str, list[Call]]  # per layer: outermost calls done when the layer returns
    turns: dict[nn.Module, list[Call]] = field(default_factory=dict)  # every call, by module
    linear: nn.Linear | None = None  # the module whose output is the network's output

    @classmethod
    def of(cls, model: nn.Module, layers: Sequence[str], batch: torch.Tensor) -> Plan:
        """Observe one forward pass of `batch`; refuses layers that run never or more than once."""
        calls, output = again(lambda: _observe(model, batch))
        turns: dict[nn.Module, list[Call]] = {}
        for call in calls:
            turns.setdefault(call.module, []).append(call)
        ends = {name: _only_call(model, name, turns).end for name in layers}
        order = sorted(layers, key=lambda name: ends[name])
        finished = {name: _outermost(calls, ends[name]) for name in order}
        last = [c.module for c in calls if c.output is output and isinstance(c.module, nn.Linear)]
        for call in calls:
            call.output = None
        return cls(order, finished, turns, last[-1] if last else None)

    def remembered(self) -> list[Call]:
        """All calls whose outputs some layer needs."""
        calls = {id(call): call for of_layer in self.finished.values() for call in of_layer}
        return list(calls.values())


def module_of(model: nn.Module, layer: str) -> nn.Module:
    """The module whose output a layer is; refuses other tensors of a module.

    A layer that is recorded after a ReLU (`@relu`) is ablated before it: a zero stays zero.
    """
    point = HookPoint.parse(layer)
    if point.side != "output" or point.call is not None:
        msg = f"layer {layer!r} is not the output of a module that runs once: ablate such a layer"
        raise UserError(msg)
    return model.get_submodule(point.module)


def _only_call(model: nn.Module, name: str, turns: dict[nn.Module, list[Call]]) -> Call:
    calls = turns.get(module_of(model, name), [])
    if len(calls) == 1:
        return calls[0]
    problem = "does not run" if not calls else f"runs {len(calls)} times"
    msg = (
        f"layer {name!r} {problem} in a forward pass of {type(model).__name__}; "
        "choose layers that run once"
    )
    raise UserError(msg)


def _outermost(calls: list[Call], end: int) -> list[Call]:
    """Calls done by `end` that gave one tensor and lie in no other such call."""
    done = {id(call) for call in calls if call.end <= end and call.output is not None}

    def inside(call: Call | None) -> bool:
        return call is not None and (id(call) in done or inside(call.parent))

    return [call for call in calls if id(call) in done and not inside(call.parent)]


def _observe(model: nn.Module, batch: torch.Tensor) -> tuple[list[Call], torch.Tensor]:
    """Every call of a forward pass in the order of their starts, and the network's output."""
    calls: list[Call] = []
    stack: list[Call] = []
    returns = iter(range(2**62))

    def before(module: nn.Module, inputs: Any) -> None:
        calls.append(Call(module, stack[-1] if stack else None))
        stack.append(calls[-1])

    def after(module: nn.Module, inputs: Any, output: Any) -> None:
        call = stack.pop()
        call.end = next(returns)
        if isinstance(output, torch.Tensor):
            call.output, call.version = output, output._version

    with contextlib.ExitStack() as hooks:
        for module in model.modules():
            if module is not model and takes_hooks(module):
                hooks.callback(module.register_forward_pre_hook(before).remove)
                hooks.callback(module.register_forward_hook(after).remove)
        output = first_tensor(forward(model, batch), "output")
    for call in calls:
        call.changed = call.output is not None and call.output._version != call.version
    return calls, output


@contextlib.contextmanager
def hooked(model: nn.Module, hooks: Mapping[str, Callable[[torch.Tensor], Any]]) -> Iterator[None]:
    """Within the block, layer `name` gives `hooks[name](its output tensor)`; None leaves it."""
    with contextlib.ExitStack() as stack:
        for name, change in hooks.items():
            handle = module_of(model, name).register_forward_hook(changing(name, change))
            stack.callback(handle.remove)
        yield


def changing(name: str, change: Callable[[torch.Tensor], Any]) -> Callable[..., Any]:
    """A forward hook by which layer `name` gives `change(its output tensor)`; None leaves it."""

    def hook(module: nn.Module, inputs: Any, output: Any) -> Any:
        old = first_tensor(output, name)
        new = change(old)
        return None if new is None else _with_first(output, new)

    return hook


def _with_first(output: Any, new: torch.Tensor) -> Any:
    """`output` with `new` in place of its first tensor, and stored as that was."""
    if isinstance(output, torch.Tensor):
        return _stored_as(output, new)
    parts = output.values() if isinstance(output, Mapping) else output
    old = next(part for part in parts if isinstance(part, torch.Tensor))
    new = _stored_as(old, new)
    if isinstance(output, tuple | list):
        changed = [new if part is old else part for part in output]
        return type(output)(*changed) if hasattr(output, "_fields") else type(output)(changed)
    return type(output)({key: new if part is old else part for key, part in output.items()})


def _stored_as(old: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    """A dense tensor in the storage of the one that it replaces: sparse, or codes of 8 bits."""
    if old.layout != torch.strided:
        return new.to_sparse(layout=old.layout)
    if not old.is_quantized:
        return new
    if old.qscheme() not in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        raise UserError("a layer with a scale for each channel cannot be ablated; choose another")
    return torch.quantize_per_tensor(new, old.q_scale(), old.q_zero_point(), old.dtype)
