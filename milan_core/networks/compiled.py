"""The hooked tensors of a network as the outputs of one compiled program."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import nn

from milan_core.core.errors import UserError
from milan_core.networks.hooks import HookPoint


class CompiledPass:
    """`model` through `torch.compile`, with what `receive` is given as its outputs.

    The hooks are traced into the program, where each tensor is copied before an in-place operation
    can change it; what no output needs is not computed.

    Args:
        model: in eval mode, with hooks that call `receive(name, value)`.
        points: the wanted hook points by name, in the order of the outputs.
        rectified: names of those that are recorded after a ReLU.
        tensor_of: gives the tensor in a hooked value.
        backend: of `torch.compile`.

    """

    def __init__(
        self,
        model: nn.Module,
        points: Mapping[str, HookPoint],
        rectified: Collection[str],
        tensor_of: Callable[[Any, str], torch.Tensor],
        backend: str = "inductor",
    ) -> None:
        self._model, self._points, self._rectified = model, points, rectified
        self._tensor_of, self._backend = tensor_of, backend
        self._kept: dict[str, torch.Tensor] = {}
        self._runs: dict[str, int] = {}
        self._program: Callable[..., list[torch.Tensor]] | None = None

    def receive(self, name: str, value: Any) -> None:
        """Keep a copy of a hooked value, of the wanted call."""
        self._runs[name] = self._runs.get(name, 0) + 1
        if self._points[name].call not in (None, self._runs[name]):
            return
        tensor = self._tensor_of(value, name)
        self._kept[name] = torch.relu(tensor) if name in self._rectified else tensor.clone()

    def __call__(self, *inputs: torch.Tensor) -> list[torch.Tensor]:
        """The recorded tensors, in the order of `points`."""
        try:
            if self._program is None:
                self._program = torch.compile(self._run, backend=self._backend)
            return self._program(*inputs)
        except UserError:
            raise
        except Exception as error:
            first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
            msg = f"torch.compile failed: {first_line}; mine this network with compile: false"
            raise UserError(msg) from error
        finally:
            self._kept.clear()
            self._runs.clear()

    def _run(self, *inputs: torch.Tensor) -> list[torch.Tensor]:
        self._model(*inputs)
        return [self._kept[name] for name in self._points]
