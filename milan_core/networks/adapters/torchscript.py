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

from milan_core.core.errors import UserError, first_line
from milan_core.networks.adapters.exported import require_trust


def load(path: str, trust: bool = False) -> nn.Module:
    """`torchscript:FILE`: a scripted or traced module."""
    file = require_trust(path, "torchscript", trust)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated, its files live on
            script = torch.jit.load(str(file), map_location="cpu")
    except (RuntimeError, ValueError, OSError) as error:
        msg = f"{file} is not a readable TorchScript file: {first_line(error)}; save it again"
        raise UserError(msg) from error
    return ScriptedNetwork(script.eval())


class Tap(nn.Module):
    """Stands for a module of the graph: receives its output, gives it to the hooks.

    Kind and parameters are those of the module, for whoever looks at the network.
    """

    def __init__(self, module: Any = None) -> None:
        super().__init__()
        self._held = [module]  # in a list: no layer

    def type_name(self) -> str:
        """Class of the module that was saved."""
        return str(getattr(self._held[0], "original_name", "Tap"))

    def named_parameters(self, *_: Any, **__: Any) -> Iterator[tuple[str, nn.Parameter]]:
        """Those of the module that was saved."""
        return iter(()) if self._held[0] is None else self._held[0].named_parameters()

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        """The value, unchanged."""
        return value


class ScriptedNetwork(nn.Module):
    """A TorchScript module whose inner outputs can be hooked by module names."""

    def __init__(self, script: torch.jit.ScriptModule) -> None:
        super().__init__()
        self._held = [script]  # in a list, so that its silent modules are no layers
        self._names = _full_names(script)
        self._order = list(_outputs(script.inlined_graph, self._names))
        self._functions: dict[tuple[str, ...], Any] = {}
        self._taps: dict[str, Tap] = {}
        modules = dict(script.named_modules())
        for name in sorted(self._order):
            holder: nn.Module = self
            *parents, last = name.split(".")
            for part in parents:  # lists of modules have no output, but stand in the names
                if part not in dict(holder.named_children()):
                    holder.add_module(part, Tap())
                holder = getattr(holder, part)
            tap = self._taps[name] = Tap(modules.get(name))
            holder.add_module(last, tap)

    def forward(self, images: torch.Tensor) -> Any:
        """The output of the script; hooked taps receive their tensors after it has run."""
        if any(tap._forward_pre_hooks for tap in self._taps.values()):
            msg = "TorchScript layers have no @input; hook the layer before, or give a factory"
            raise UserError(msg)
        wanted = tuple(name for name in self._order if self._taps[name]._forward_hooks)
        if not wanted:
            return self._held[0](images)
        if wanted not in self._functions:
            self._functions[wanted] = _function(self._held[0].inlined_graph, self._names, wanted)
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


def _full_names(script: Any) -> dict[tuple[str, ...], str]:
    """Full module names by the chain of calls that a node of the inlined graph remembers.

    The chain leaves out modules that are not called, such as lists of modules: "0" may be blocks.0.
    Where two modules have one chain, neither can be told from the other: both are left out.
    """
    names_by_scope: dict[tuple[str, ...], set[str]] = {}
    modules = dict(script.named_modules())

    def walk(module: Any, chain: tuple[str, ...], prefix: str) -> None:
        for node in module.graph.findAllNodes("prim::CallMethod"):
            parts = _attributes(next(node.inputs()))
            if node.s("name") != "forward" or not parts:
                continue
            name = ".".join([*([prefix] if prefix else []), *parts])
            here = (*chain, parts[-1])
            known = name in names_by_scope.setdefault(here, set())
            names_by_scope[here].add(name)
            if not known:
                walk(modules[name], here, name)

    walk(script, (), "")
    return {chain: names.pop() for chain, names in names_by_scope.items() if len(names) == 1}


def _attributes(value: Any) -> list[str]:
    """The attribute names from the module itself to a value of its graph."""
    parts: list[str] = []
    while value.node().kind() == "prim::GetAttr":
        parts.insert(0, value.node().s("name"))
        value = next(value.node().inputs())
    return parts


def _outputs(graph: Any, names: dict[tuple[str, ...], str]) -> dict[str, tuple[Any, Any]]:
    """Node and value of the last tensor of each module, in the order in which they are ready.

    A module that runs twice has no single output and is left out.
    """
    outputs: dict[str, tuple[Any, Any]] = {}
    before: set[str] = set()
    repeated: set[str] = set()
    for node in graph.nodes():
        tensors = [v for v in node.outputs() if v.type().isSubtypeOf(torch._C.TensorType.get())]
        if not tensors or node.kind() in ("prim::GetAttr", "prim::Constant"):
            continue
        now = [names[chain] for chain in _chains(node.getModuleHierarchy()) if chain in names]
        repeated |= (set(now) - before) & set(outputs)
        for name in now:  # a block and its last part are ready together: the part comes first
            outputs.pop(name, None)
            outputs[name] = (node, tensors[-1])
        before = set(now)
    return {name: value for name, value in outputs.items() if name not in repeated}


def _chains(hierarchy: str) -> list[tuple[str, ...]]:
    """Calls that led to a node, innermost first: `a(Net).b(Conv2d)` gives (a, b) and (a,)."""
    parts = [part.partition("(")[0] for part in hierarchy.split(").") if part]
    parts = [part for part in parts if part not in ("SELF", "UNKNOWN_INSTANCE")]
    return [tuple(parts[:end]) for end in range(len(parts), 0, -1)]


def _function(graph: Any, names: dict[tuple[str, ...], str], wanted: tuple[str, ...]) -> Any:
    """A function that returns the graph's output and those of the wanted modules."""
    found = _outputs(graph, names)
    for name in wanted:
        node, value = found[name]
        graph.setInsertPoint(node)
        copy = graph.create("aten::clone", [value, graph.insertConstant(None)], 1)
        copy.insertAfter(node)
        graph.registerOutput(copy.output())
    graph.makeMultiOutputIntoTuple()
    return torch._C._create_function_from_graph("forward", graph)
