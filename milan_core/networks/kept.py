"""What modules keep in their attributes between two forward passes, put back after a pass.

A pass that ends early, or one of copies of a batch with units ablated, leaves what it has set so
far: counters, queues of skip connections, averages. The next pass would begin with it.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

_FEW = 2**16  # numbers of a small parameter


class Kept:
    """The attributes of all modules of a network as they are now, with their lists and mappings.

    Tensors count by what an attribute names, not by their numbers: what a network writes into a
    tensor in place stays.
    """

    def __init__(self, model: nn.Module) -> None:
        self._named: list[tuple[dict[str, Any], list[int], dict[str, Any]]] = []
        self._lists: list[tuple[list[Any] | deque[Any], list[Any]]] = []
        self._place = _place(model)
        for module in model.modules():
            attributes = vars(module)
            self._note(attributes)
            if isinstance(module._buffers, dict):  # not of TorchScript
                self._note(module._buffers)
            for key in attributes.keys() - _OWN:
                items = attributes[key]
                if type(items) is dict:
                    self._note(items)
                elif isinstance(items, list | deque):
                    self._lists.append((items, list(items)))

    def _note(self, held: dict[str, Any]) -> None:
        if held:
            self._named.append((held, [*map(id, held.values())], dict(held)))

    def is_of(self, model: nn.Module) -> bool:
        """Whether a model is where it was, in the type that it had."""
        return self._place == _place(model)

    @contextlib.contextmanager
    def again(self) -> Iterator[None]:
        """A block after which the modules keep again what they kept."""
        try:
            yield
        finally:
            self.put_back()

    def put_back(self) -> None:
        """Undo what was set, added and removed since."""
        for held, ids, before in self._named:
            if [*map(id, held.values())] != ids:
                held.clear()
                held.update(before)
        for items, content in self._lists:
            if [*map(id, items)] != [*map(id, content)]:
                items.clear()
                items.extend(content)


_OWN = frozenset(vars(nn.Module()))  # hooks and children are not what a forward pass keeps


def _place(model: nn.Module) -> tuple[torch.device, torch.dtype] | None:
    return next(((p.device, p.dtype) for p in model.parameters()), None)


class SmallParameters:
    """Copies of the parameters that have few numbers, such as scales and shifts of channels.

    Buffers come back with them: one may be the flag that says that a parameter was set.
    """

    def __init__(self, model: nn.Module) -> None:
        self._copies, self._buffers = _copies(model.parameters()), _copies(model.buffers())

    def changed(self, share: float = 0.0) -> bool:
        """Whether a parameter has other numbers now, by more than a share of its largest."""
        return any(_differ(now.detach(), old, share) for now, old in self._copies)

    def put_back(self) -> None:
        """Give all their numbers again."""
        for tensor, old in (*self._copies, *self._buffers):
            tensor.data = old.clone()


def _copies(tensors: Iterable[torch.Tensor]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    few = [tensor for tensor in tensors if not is_lazy(tensor) and tensor.numel() <= _FEW]
    return [(tensor, tensor.detach().clone()) for tensor in few]


def _differ(now: torch.Tensor, old: torch.Tensor, share: float) -> bool:
    now, old = _dense(now), _dense(old)
    if torch.equal(_bits(now), _bits(old)):
        return False
    if not share or now.shape != old.shape:
        return True
    return not bool((now - old).abs().max() <= share * old.abs().max())


def _dense(values: torch.Tensor) -> torch.Tensor:
    return values.to_dense() if values.layout != torch.strided else values


def _bits(values: torch.Tensor) -> torch.Tensor:
    return values.contiguous().reshape(-1).view(torch.uint8)  # NaN equals itself


@contextlib.contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Put a model in eval mode inside a block; each submodule's own mode comes back after it.

    Modules with a `train` of their own may merge weights for evaluation; those come back as they
    were, to the bit. Around many passes one such block saves merging for each.
    """
    modes = {module: module.training for module in model.modules()}
    changing = [m for m, training in modes.items() if training and _has_own_train(m)]
    weights = [
        (p, p.detach().clone())
        for m in changing
        for p in m.parameters(recurse=False)
        if not is_lazy(p)
    ]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():  # parents come first
            if module.training != training and _has_own_train(module):
                module.train(training)  # it may unmerge weights that it had merged
        for module, training in modes.items():
            module.training = training
        for parameter, before in weights:
            if parameter.shape == before.shape:
                parameter.data.copy_(before)


def _has_own_train(module: nn.Module) -> bool:
    return type(module).train is not nn.Module.train
