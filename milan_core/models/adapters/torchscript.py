"""Networks saved as TorchScript, with the outputs of their modules made hookable.

A scripted module runs as one graph and calls no Python hooks. So the graph is inlined, each node
of it knows the module that it came from, and the last tensor of a wanted module becomes a further
output of the graph, copied before a later in-place operation can change it. A stand-in module of
the same name then receives that tensor, and hooks on it work as on any other.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from milan_core.errors import UserError
from milan_core.models.adapters.exported import require_trust


def load(path: str, trust: bool = False) -> nn.Module:
    """`torchscript:FILE`: a scripted or traced module."""
    file = require_trust(path, "torchscript", trust)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated, its files live on
            script = torch.jit.load(str(file), map_location="cpu")
    except (RuntimeError, ValueError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        msg = f"{file} is not a readable TorchScript file: {reason}; save it again"
        raise UserError(msg) from error
    return ScriptedNetwork(script.eval())


class Tap(nn.Module):
    """Stands for a module of the graph: receives its output, gives it to the hooks."""

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        """The value, unchanged."""
        return value


class ScriptedNetwork(nn.Module):
    """A TorchScript module whose inner outputs can be hooked by module names."""

    def __init__(self, script: torch.jit.ScriptModule) -> None:
        super().__init__()
        self._held = [script]  # in a list, so that its silent modules are no layers
        self._order = list(_outputs(script.inlined_graph))
        self._functions: dict[tuple[str, ...], Any] = {}
        self._taps: dict[str, Tap] = {}
        for name in sorted(self._order):
            parent, _, last = name.rpartition(".")
            tap = self._taps[name] = Tap()
            (self._taps[parent] if parent else self).add_module(last, tap)

    def forward(self, images: torch.Tensor) -> Any:
        """The output of the script; hooked taps receive their tensors after it has run."""
        if any(tap._forward_pre_hooks for tap in self._taps.values()):
            msg = "TorchScript layers have no @input; hook the layer before, or give a factory"
            raise UserError(msg)
        wanted = tuple(name for name in self._order if self._taps[name]._forward_hooks)
        if not wanted:
            return self._held[0](images)
        if wanted not in self._functions:
            self._functions[wanted] = _function(self._held[0].inlined_graph, wanted)
        result, *values = self._functions[wanted](self._held[0]._c, images)
        for name, value in zip(wanted, values, strict=True):
            self._taps[name](value)
        return result

    def named_parameters(self, *_: Any, **__: Any) -> Iterator[tuple[str, nn.Parameter]]:
        """Those of the script."""
        return self._held[0].named_parameters()

    def state_dict(self, *_: Any, **__: Any) -> Any:
        """That of the script, for digests."""
        return self._held[0].state_dict()

    def _apply(self, fn: Any, recurse: bool = True) -> ScriptedNetwork:
        self._held[0]._apply(fn)
        return self


def _outputs(graph: Any) -> dict[str, tuple[Any, Any]]:
    """Node and value of the last tensor of each module, in the order in which they are ready.

    A module that runs twice has no single output and is left out.
    """
    found: dict[str, tuple[Any, Any]] = {}
    before: set[str] = set()
    repeated: set[str] = set()
    for node in graph.nodes():
        tensors = [v for v in node.outputs() if v.type().isSubtypeOf(torch._C.TensorType.get())]
        if not tensors or node.kind() in ("prim::GetAttr", "prim::Constant"):
            continue
        now = set(_modules(node.getModuleHierarchy()))
        repeated |= (now - before) & set(found)
        for name in now:
            found.pop(name, None)
            found[name] = (node, tensors[-1])
        before = now
    # A block and its last part are ready together: the part comes first.
    return {name: value for name, value in found.items() if name not in repeated}


def _modules(hierarchy: str) -> list[str]:
    """Names of a node's module and of those that hold it: `a(Net).b(Conv2d)` gives a and a.b."""
    parts = [part.partition("(")[0] for part in hierarchy.split(").") if part]
    parts = [part for part in parts if part not in ("SELF", "UNKNOWN_INSTANCE")]
    return [".".join(parts[:end]) for end in range(len(parts), 0, -1)]


def _function(graph: Any, wanted: tuple[str, ...]) -> Any:
    """A function that returns the graph's output and those of the wanted modules."""
    found = _outputs(graph)
    for name in wanted:
        node, value = found[name]
        graph.setInsertPoint(node)
        copy = graph.create("aten::clone", [value, graph.insertConstant(None)], 1)
        copy.insertAfter(node)
        graph.registerOutput(copy.output())
    graph.makeMultiOutputIntoTuple()
    return torch._C._create_function_from_graph("forward", graph)
