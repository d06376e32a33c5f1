"""A forward pass in which calls that cannot change return what they returned before."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from milan_core.networks.ablation.recording import Call, Plan, hooked
from milan_core.networks.calling import forward
from milan_core.networks.kept import Kept
from milan_core.networks.trace import first_tensor


@dataclass
class Memory:
    """One batch without ablations: inputs, logits, outputs of layers and of remembered calls."""

    batch: torch.Tensor
    logits: torch.Tensor  # (b, classes)
    layers: dict[str, torch.Tensor]
    calls: dict[int, torch.Tensor]  # by id of the plan's Call
    features: torch.Tensor | None = None  # what the last linear module read, (b, features)
    kept: Kept | None = None  # by the modules, after the pass

    @classmethod
    def of(cls, model: nn.Module, plan: Plan, batch: torch.Tensor, calls: bool = True) -> Memory:
        """Run `batch` and remember what the plan names; without `calls`, layers only."""
        memory = cls(batch, batch.new_empty(0), {}, {})
        wanted = plan.remembered() if calls else []
        with contextlib.ExitStack() as stack:
            for module in {id(call.module): call.module for call in wanted}.values():
                hook = _recorder(memory, plan.turns[module], wanted)
                stack.callback(module.register_forward_hook(hook).remove)
            if plan.linear is not None:
                handle = plan.linear.register_forward_pre_hook(_reader(memory))
                stack.callback(handle.remove)
            stack.enter_context(
                hooked(model, {name: _keeper(memory, name) for name in plan.layers})
            )
            memory.logits = first_tensor(forward(model, batch), "output")
        memory.kept = Kept(model)
        return memory

    def again(self) -> contextlib.AbstractContextManager[None]:
        """A block after which the modules keep again what they kept after the pass."""
        assert self.kept is not None
        return self.kept.again()


def _keeper(memory: Memory, name: str) -> Any:
    def keep(output: torch.Tensor) -> None:
        memory.layers[name] = output.clone()  # before an in-place operation can change it

    return keep


def _reader(memory: Memory) -> Any:
    def read(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        memory.features = inputs[0].clone()

    return read


def _recorder(memory: Memory, turns: list[Call], wanted: list[Call]) -> Any:
    chosen = {id(call) for call in wanted}
    left = iter(turns)

    def record(module: nn.Module, inputs: Any, output: Any) -> None:
        call = next(left)
        if id(call) in chosen:
            memory.calls[id(call)] = output.clone() if call.changed else output

    return record


@contextlib.contextmanager
def replayed(plan: Plan, layer: str, memory: Memory) -> Iterator[None]:
    """Within the block, calls that are done when `layer` returns are answered from memory.

    One block serves one forward pass.
    """
    finished = plan.finished[layer]
    chosen = {id(call) for call in finished}
    with contextlib.ExitStack() as stack:
        for module in {id(call.module): call.module for call in finished}.values():
            visible = [call for call in plan.turns[module] if not _within(call.parent, chosen)]
            values = [_value(call, chosen, memory) for call in visible]
            stack.enter_context(_answering(module, values))
        yield


def _within(call: Call | None, chosen: set[int]) -> bool:
    return call is not None and (id(call) in chosen or _within(call.parent, chosen))


def _value(call: Call, chosen: set[int], memory: Memory) -> torch.Tensor | None:
    if id(call) not in chosen:
        return None
    value = memory.calls[id(call)]
    return value.clone() if call.changed else value


@contextlib.contextmanager
def _answering(module: nn.Module, values: list[torch.Tensor | None]) -> Iterator[None]:
    """Let the k-th call of `module` give `values[k]`; where that is None, and later, it runs."""
    before = module.__dict__.get("forward")
    run = module.forward
    left = iter(values)

    def answer(*inputs: Any, **options: Any) -> Any:
        value = next(left, None)
        return run(*inputs, **options) if value is None else value

    module.__dict__["forward"] = answer
    try:
        yield
    finally:
        if before is None:
            del module.__dict__["forward"]
        else:
            module.__dict__["forward"] = before
