"""Layer outputs of one forward pass, given to a callback as they come.

The reference ran one pass per layer (spec 6.3). Here all wanted layers are hooked at once, the pass
stops after the last of them, and no hook survives the `with` block, whatever happens inside it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import torch
from torch import nn

from milan_core.core.errors import UserError, unknown
from milan_core.networks.calling import copies, forward, uncompiled
from milan_core.networks.compiled import CompiledPass
from milan_core.networks.hooks import HookPoint, name_matches
from milan_core.networks.kept import Kept, eval_mode

OnOutput = Callable[[str, torch.Tensor], None]
Receive = Callable[[str, Any], None]


class _StopForward(BaseException):
    """Ends a forward pass early; not an `Exception`, so that no model can swallow it."""


class _HookFailed(BaseException):
    """Carries an error of the callback through the model to `Trace.__call__`, unchanged."""


def listed(model: nn.Module, layers: Any, where: str = "layers") -> list[str]:
    """Names or patterns as a list.

    Raises:
        UserError: for modules, numbers and whatever else is no text; the sentence names a module.

    """
    single = isinstance(layers, str | nn.Module) or not isinstance(layers, Iterable)
    names = [layers] if single else list(layers)
    for item in names:
        if isinstance(item, str):
            continue
        known = next(
            (name for name, module in model.named_modules() if module is item and name), ""
        )
        fix = f"; give {known!r} in place of the module" if known else ""
        msg = f"{where}: expected names or patterns such as 'layer*', got {type(item).__name__}"
        raise UserError(msg + fix)
    return names


def resolve_layers(model: nn.Module, patterns: str | Iterable[str]) -> list[str]:
    """Module names for names or glob patterns, in the order given, without repetition.

    Patterns match part by part: ``layer*`` gives layer1..4 but not layer1.0; ``layer1.*.conv?``
    goes deeper; ``**`` stands for any number of parts. Marks such as ``@input`` choose another
    tensor of the module (`milan_core.networks.hooks`) and stay at the names.
    """
    patterns = listed(model, patterns)
    if uncompiled(model) is not model:
        patterns = [pattern.removeprefix("_orig_mod.") for pattern in patterns]
        model = uncompiled(model)
    if not patterns:
        msg = "no layers were given; expected module names or patterns such as 'layer*'"
        raise UserError(msg)
    names = [name for name, _ in model.named_modules(remove_duplicate=False) if name]
    resolved: dict[str, None] = {}
    for pattern in patterns:
        point = HookPoint.parse(pattern)
        parts = point.module.split(".")
        matches = [n for n in names if name_matches(n.split("."), parts)]
        if point.module in names:
            matches = [point.module]
        if not matches:
            raise unknown("layer", point.module, names, where=type(model).__name__)
        resolved.update(dict.fromkeys(name + point.marks for name in matches))
    return list(resolved)


def first_tensor(output: Any, layer: str) -> torch.Tensor:
    """The first tensor of a module's output: itself, or inside a tuple, list or mapping."""
    if isinstance(output, torch.Tensor):
        return _dense(output, layer)
    for part in _parts(output):
        if isinstance(part, torch.Tensor):
            return first_tensor(part, layer)
        if _holds_tensors(part):
            msg = (
                f"layer {layer!r} gives {type(output).__name__} that starts with a "
                f"{type(part).__name__} of tensors; choose a layer whose output starts with one"
            )
            raise UserError(msg)
    msg = (
        f"layer {layer!r} gives {type(output).__name__}, which holds no tensor; "
        "choose a layer whose output is a tensor, or a tuple or mapping that starts with one"
    )
    raise UserError(msg)


def _parts(output: Any) -> Iterable[Any]:
    if isinstance(output, Mapping):
        return output.values()
    return output if isinstance(output, list | tuple) else ()


def _holds_tensors(part: Any) -> bool:
    return any(isinstance(item, torch.Tensor) or _holds_tensors(item) for item in _parts(part))


def _dense(output: torch.Tensor, layer: str) -> torch.Tensor:
    if output.is_nested:
        msg = f"layer {layer!r} gives a nested tensor, whose rows differ in length; choose another"
        raise UserError(msg)
    if output.layout != torch.strided:
        output = output.to_dense()
    return output.dequantize() if output.is_quantized else output


def takes_hooks(module: nn.Module) -> bool:
    """Whether forward hooks can be put on a module."""
    return not isinstance(module, torch.jit.RecursiveScriptModule)


class Trace:
    """Hooks on layers of a model for the length of a `with` block.

    >>> with Trace(model, ["conv1", "layer4"], on_output) as trace:
    ...     trace(batch)  # calls on_output("conv1", tensor), then on_output("layer4", tensor)

    `on_output` sees each tensor at the moment its layer returns, before a later in-place operation
    can change it: what is recorded is the layer's own output, and the aliasing of spec 2.6 cannot
    happen by accident. Where the published data has post-ReLU values of a layer followed by an
    in-place ReLU, name it in `post_relu`: the callback then gets relu of a copy. A callback that
    keeps a tensor beyond its return must copy it.

    Inside the block the model is in eval mode; each submodule's own mode comes back at the end.

    Args:
        model: any module.
        layers: names or patterns for `resolve_layers`.
        on_output: called with (layer name, first tensor of its output).
        post_relu: names or patterns among `layers`.
        compiled: run all forwards but the first through `torch.compile` (a string names its
            backend); the callback then gets copies, after the pass. What lies behind the last
            wanted layer is left out of the compiled program.
        stop: end each forward after the last wanted layer; what modules keep is then put back as
            it was after the last whole one, which the trace holds as long as it lives, with the
            tensors among it. The first forward, and the first after the model has moved to another
            device or type, always runs to its end, because only then is it known that no wanted
            layer runs a second time.

    """

    def __init__(
        self,
        model: nn.Module,
        layers: str | Iterable[str],
        on_output: OnOutput,
        *,
        post_relu: str | Iterable[str] = (),
        stop: bool = True,
        compiled: bool | str = False,
    ) -> None:
        self.layers = resolve_layers(model, layers)
        self.model = uncompiled(model)
        rectified = [post_relu] if isinstance(post_relu, str) else list(post_relu)
        self.points = {name: HookPoint.parse(name) for name in self.layers}
        self.rectified = set(resolve_layers(model, rectified) if rectified else ())
        self.rectified.update(name for name, point in self.points.items() if point.relu)
        self._on_output = on_output
        self._stop = stop
        self._backend = "inductor" if compiled is True else compiled or ""
        self._compiled: CompiledPass | None = None
        self._checked = False  # one forward ran to its end without a layer running twice
        self._seen: set[str] = set()
        self._runs: dict[str, int] = {}
        self._kept: Kept | None = None  # by the modules, after a whole pass
        self._ended: BaseException | None = None  # what ended the pass, in case a model catches it
        self._handles: list[torch.utils.hooks.RemovableHandle] = []
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(eval_mode(self.model))
            stack.callback(self._handles.clear)
            if self._kept is not None and not self._kept.is_of(self.model):
                self._kept, self._checked = None, False
            for name in self.layers:
                handle = self._register(name, self._received)
                stack.callback(handle.remove)
                self._handles.append(handle)
            self._cleanup = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._cleanup.close()

    def __call__(self, *inputs: torch.Tensor) -> Any:
        """Run one forward; returns the model's output, or None when the pass was stopped early."""
        if not self._handles:
            msg = "call the trace inside its `with` block"
            raise RuntimeError(msg)
        self._seen.clear()
        self._runs.clear()
        if self._backend and self._checked:
            self._run_compiled(inputs)
            return None
        self._ended = None
        try:
            output = forward(self.model, *inputs)
        except (_StopForward, _HookFailed):
            pass
        except UserError:
            if self._ended is None:
                raise
        if isinstance(self._ended, _HookFailed):
            raise self._ended.args[0] from None
        if self._ended is not None:
            if self._kept is not None:
                self._kept.put_back()
            return None
        self._checked = True
        self._kept = Kept(self.model) if self._stop else None
        if silent := [name for name in self.layers if name not in self._seen]:
            msg = (
                f"layer {', '.join(map(repr, silent))} did not run in the forward pass of "
                f"{type(self.model).__name__}; choose layers that its forward calls, whatever the "
                "images (experts and early exits run for some only)"
            )
            raise UserError(msg)
        return output

    def _run_compiled(self, inputs: Sequence[torch.Tensor]) -> None:
        if self._compiled is None:
            for handle in self._handles:
                handle.remove()
            self._compiled = CompiledPass(
                self.model, self.points, self.rectified, first_tensor, self._backend
            )
            self._handles[:] = [
                self._register(name, self._compiled.receive) for name in self.layers
            ]
            for handle in self._handles:
                self._cleanup.callback(handle.remove)
        given = copies(self.model, inputs)
        for name, tensor in zip(self.layers, self._compiled(*given), strict=True):
            self._on_output(name, tensor)

    def _register(self, name: str, receive: Receive) -> torch.utils.hooks.RemovableHandle:
        module = self.model.get_submodule(self.points[name].module)
        if not takes_hooks(module):
            msg = (
                f"layer {name!r} is code of TorchScript (torch.jit.script), which calls no hooks: "
                "build the network without it in the factory, or choose a layer around it"
            )
            raise UserError(msg)
        if self.points[name].side == "input":

            def before(module: nn.Module, args: Any, kwargs: Any) -> None:
                receive(name, [*args, *kwargs.values()])

            return module.register_forward_pre_hook(before, with_kwargs=True)

        def after(module: nn.Module, inputs: Any, output: Any) -> None:
            receive(name, output)

        return module.register_forward_hook(after)

    def _received(self, name: str, value: Any) -> None:
        """Pass a hooked value on; errors leave the network unchanged by what it might catch."""
        if self._ended is not None:  # the model caught it, as a bare `except:` does
            raise self._ended
        try:
            self._receive(name, value)
        except Exception as error:
            self._ended = _HookFailed(error)
            raise self._ended from error
        if self._stop and self._checked and len(self._seen) == len(self.layers):
            self._ended = _StopForward()
            raise self._ended

    def _receive(self, name: str, value: Any) -> None:
        self._runs[name] = self._runs.get(name, 0) + 1
        call = self.points[name].call
        if call is not None and self._runs[name] != call:
            return
        if name in self._seen:
            msg = (
                f"layer {name!r} runs more than once in one forward pass, so its activation is "
                f"ambiguous; name one run ('{name}@call1'), or choose the block that holds it"
            )
            raise UserError(msg)
        self._seen.add(name)
        tensor = first_tensor(value, name).detach()  # a model may make gradients in its forward
        self._on_output(name, torch.relu(tensor) if name in self.rectified else tensor)
