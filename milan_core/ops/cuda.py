"""The CUDA kernels: are they there, can they run on a device, which stream do they work on.

`milan_core.ops.cuda_scan` keeps the statistics of a layer on a device; masks are made here.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from milan_core.core.errors import UserError
from milan_core.ops.backend import native
from milan_core.ops.masking import BORDERS, sides
from milan_core.ops.spec import ScanSpec

#: DLPack's number for CUDA memory.
DEVICE_TYPE = 2
#: The largest scan of the device; beyond it the activations go to the host.
MOST_K, MOST_PIXELS, MOST_BITS = 64, 2**30, 16
#: Without maps more images can be ranked: the maxima of so many wait on the device.
MOST_HELD = 2**16
#: What MILAN_CUDA may be: the kernels where they can run, never, or refuse to do without them.
CHOICES = ("auto", "off", "on")

_log = logging.getLogger(__name__)


@functools.cache
def kernels() -> ModuleType | None:
    """The extension module `milan_core._cuda`, or None when it was not built."""
    if native() is None:
        return None
    try:
        from milan_core import _cuda  # type: ignore[attr-defined,unused-ignore]
    except ImportError:
        return None
    return _cuda


def facts() -> dict[str, object]:
    """built_with_cuda, cuda_architectures, cuda_devices, and cuda_problem: why there are none."""
    module = kernels()
    if module is None:
        problem = "the CUDA kernels were not built; install again with nvcc on the PATH"
        return {"built_with_cuda": False, "cuda_devices": 0, "cuda_problem": problem}
    count, problem = module.devices()
    return {
        "built_with_cuda": True,
        "cuda_architectures": module.architectures,
        "cuda_devices": count,
        "cuda_problem": problem,
    }


def problem(device: int) -> str:
    """Why the kernels cannot run on a device, or ""."""
    module = kernels()
    if module is None:
        return str(facts()["cuda_problem"])
    return _problem(module, device)


@functools.cache
def _problem(module: ModuleType, device: int) -> str:
    module.set_memory_hook(_empty_cache)
    return str(module.device_problem(device))


def _empty_cache() -> None:
    """Give the device memory that torch holds without using it back to the driver."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def on_device(array: Any) -> bool:
    """Is this array in the memory of a CUDA device?"""
    where = getattr(array, "__dlpack_device__", None)
    try:
        return where is not None and int(where()[0]) == DEVICE_TYPE
    except ValueError:  # of torch: a device that DLPack has no number for
        return False


def usable(array: Any) -> bool:
    """Can the kernels work on this array: is it on a device where they run, and wanted?"""
    return on_device(array) and _choice() != "off" and not problem(device_of(array))


def reachable(activations: Any, spec: ScanSpec) -> Any:
    """The activations, moved to the host when the kernels cannot count them on their device.

    The reason is logged once. With MILAN_CUDA=on it is a `UserError` instead.
    """
    if not on_device(activations):
        return activations
    chosen = _choice()
    reason = _unfit(spec) if chosen != "off" else "MILAN_CUDA=off"
    reason = reason or problem(device_of(activations))
    if not reason:
        return activations
    if chosen == "on":
        raise UserError(f"ScanState.update: MILAN_CUDA=on, but the device cannot count: {reason}")
    if not hasattr(activations, "cpu"):
        raise UserError(
            "ScanState.update: the activations are on a CUDA device, which this build cannot read "
            f"({reason}); copy them to the host first"
        )
    _tell(reason)
    return activations.cpu()


def _choice() -> str:
    text = os.environ.get("MILAN_CUDA", "auto")
    if text not in CHOICES:
        raise UserError(f"MILAN_CUDA must be one of {', '.join(CHOICES)}, got {text!r}")
    return text


def _unfit(spec: ScanSpec) -> str:
    """Why scans of this kind stay on the host, or ""."""
    most = MOST_K if spec.keep_maps else MOST_HELD
    if spec.k > most:
        return f"k is {spec.k}, above {most}" + (" with maps" if spec.keep_maps else "")
    if spec.pixels > MOST_PIXELS:
        return f"maps have {spec.pixels} pixels, more than 2^30"
    return f"bins have {spec.bits} bits, more than {MOST_BITS}" if spec.bits > MOST_BITS else ""


@functools.cache
def _tell(reason: str) -> None:
    """Log a reason once."""
    _log.warning("activations are copied from the GPU and counted on the CPU: %s", reason)


def device_of(array: Any) -> int:
    """The number of the CUDA device that an array is on."""
    return int(array.__dlpack_device__()[1])


def masks(
    maps: Any, levels: Any, size: int | tuple[int, int], out: Any, border: str = "zeros"
) -> None:
    """`milan_core.ops.masks` on the device: `out` (M, H, ceil(W / 8)) uint8 is filled.

    `maps` (M, h, w) and `levels` (M,) are float32, all three dense and on one device. The work goes
    to the caller's stream and nothing waits for it, but for the first call of a size, which sends
    tables to the device and waits for them. A size that was captured in a CUDA graph keeps its
    tables.
    """
    module = kernels()
    if module is None:
        raise UserError(f"masks: {facts()['cuda_problem']}")
    height, width = sides(size)
    if border not in BORDERS:
        raise UserError(f"masks: border must be one of {', '.join(BORDERS)}, got {border!r}")
    arrays = {"maps": maps, "levels": levels, "out": out}
    for name, array in arrays.items():
        if not on_device(array):
            raise UserError(
                f"masks: {name} must be on a CUDA device, got {type(array).__name__}; "
                "milan_core.ops.masks makes masks of NumPy arrays"
            )
    if len({device_of(array) for array in arrays.values()}) > 1:
        places = ", ".join(f"{name} on {device_of(array)}" for name, array in arrays.items())
        raise UserError(f"masks: all arrays must be on one CUDA device, got {places}")
    if reason := problem(device_of(maps)):
        raise UserError(f"masks: the kernels cannot run: {reason}")
    if len(maps.shape) != 3 or 0 in maps.shape[1:]:
        raise UserError(f"masks: maps must be (M, h, w), got {tuple(maps.shape)}")
    h, w = maps.shape[1:]
    maps, levels = (a.detach() if hasattr(a, "detach") else a for a in (maps, levels))
    with lent(maps, levels, out) as stream:
        module.masks(maps, levels, h, w, height, width, border == "clamp", handle(stream), out)


@contextlib.contextmanager
def lent(*arrays: Any) -> Iterator[Any]:
    """The torch stream for work on these arrays; None where the default stream is meant.

    Their device is current within the block: torch exports tensors of the current device only. The
    allocator does not hand their memory out again before the work on this stream is done, whichever
    stream they were made on.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        yield None
        return
    tensors = [a for a in arrays if isinstance(a, torch.Tensor) and a.is_cuda]
    if not tensors:
        yield None
        return
    device = tensors[0].device
    with torch.cuda.device(device):
        stream = torch.cuda.current_stream(device)
        try:
            yield stream
        finally:  # an error may leave work behind that has started
            for tensor in tensors:
                tensor.record_stream(stream)


def handle(stream: Any) -> int:
    """A torch stream as the kernels take it."""
    return 0 if stream is None else int(stream.cuda_stream)
