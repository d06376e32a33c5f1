"""Statistics and masks where the activations are: on a CUDA device, on the caller's stream.

`ScanState.update` moves to `CudaScan` by itself when it is given activations on a device. Nothing
waits for the device until something is read; then the counts come to the host once, and everything
after that is the CPU core's work, so that all answers are equal byte for byte.
"""

from __future__ import annotations

import functools
import os
import sys
from types import ModuleType
from typing import Any

import numpy as np

from milan_core.core.errors import UserError
from milan_core.ops.backend import native
from milan_core.ops.reference import MANTISSA_BITS
from milan_core.ops.spec import ScanSpec

Array = np.ndarray

#: DLPack's number for CUDA memory.
DEVICE_TYPE = 2
#: The largest scan of the device; beyond it the activations go to the host.
MOST_K, MOST_PIXELS, MOST_BITS = 64, 2**30, 16
#: Without maps more images can be ranked: the maxima of so many wait on the device.
MOST_HELD = 2**16


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


def on_device(array: Any) -> bool:
    """Is this array in the memory of a CUDA device?"""
    where = getattr(array, "__dlpack_device__", None)
    return where is not None and int(where()[0]) == DEVICE_TYPE


def reachable(activations: Any, spec: ScanSpec) -> Any:
    """The activations, moved to the host when they are on a device that this build cannot use."""
    ranked = spec.k <= (MOST_K if spec.keep_maps else MOST_HELD)
    fits = ranked and spec.pixels <= MOST_PIXELS and spec.bits <= MOST_BITS
    if not on_device(activations) or (fits and kernels() is not None):
        return activations
    if not hasattr(activations, "cpu"):
        raise UserError(
            "ScanState.update: the activations are on a CUDA device, which this build cannot read; "
            "copy them to the host first"
        )
    return activations.cpu()


def place(impl: Any, spec: ScanSpec, activations: Any) -> Any:
    """The backend for these activations: `impl`, or a `CudaScan` that continues it."""
    if isinstance(impl, CudaScan) or not on_device(activations):
        return impl
    return CudaScan(impl, spec, int(activations.__dlpack_device__()[1]))


def masks(
    maps: Any, levels: Any, size: int | tuple[int, int], out: Any, border: str = "zeros"
) -> None:
    """`milan_core.ops.masks` on the device: `out` (M, H, ceil(W / 8)) uint8 is filled.

    `maps` (M, h, w) and `levels` (M,) are float32, all three dense and on one device. The work goes
    to the caller's stream and nothing waits for it, but for the first call of a size, which sends
    tables to the device and waits for them.
    """
    from milan_core.ops.masking import BORDERS

    module = kernels()
    if module is None:
        raise UserError(f"masks: {facts()['cuda_problem']}")
    height, width = (size, size) if isinstance(size, int) else size
    if border not in BORDERS:
        raise UserError(f"masks: border must be one of {', '.join(BORDERS)}, got {border!r}")
    if not (0 < height < 2**15 and 0 < width < 2**15):
        raise UserError(f"masks: size must be in 1..32767, got {size!r}")
    if len(maps.shape) != 3 or 0 in maps.shape[1:]:
        raise UserError(f"masks: maps must be (M, h, w), got {tuple(maps.shape)}")
    h, w = maps.shape[1:]
    module.masks(maps, levels, h, w, height, width, border == "clamp", stream_of(maps), out)


def stream_of(array: Any) -> int:
    """The stream on which the framework of `array` works now; 0 is the default stream."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(array, torch.Tensor) and array.is_cuda:
        return int(torch.cuda.current_stream(array.device).cuda_stream)
    return 0


def _blocks() -> int:
    """Octave blocks that a scan starts with; 0 lets the core choose."""
    text = os.environ.get("MILAN_CUDA_BLOCKS", "0")
    if not text.isdecimal():
        raise UserError(f"MILAN_CUDA_BLOCKS must be a whole number of blocks, got {text!r}")
    return int(text)


class CudaScan:
    """The statistics of one layer on a device; the interface of the native `ScanState`.

    What was counted on the host before, or comes from the host later, stays there; reading joins
    both. With k above `MOST_K` the device holds the maxima of k images and ranks none; before there
    are more, what it has moves to the host, which waits for it.
    """

    def __init__(self, before: Any, spec: ScanSpec, device: int):
        self._spec = spec
        self._host = before
        self._where = device
        self._stream = 0
        self._counted = 0  # images on the device
        self._replayed = False
        self._bits = 0
        self._joined: Any = None
        self._begin()

    def _begin(self) -> None:
        """An empty scan on the device."""
        module = kernels()
        assert module is not None, "`reachable` comes first"
        self._device = module.DeviceScan(
            *self._spec.native_arguments()[:4],
            self._spec.total_images * self._spec.pixels,
            *self._spec.native_arguments()[4:],
            self._where,
            _blocks(),
            -1,
            0,
        )
        self._counted = 0

    @property
    def counted(self) -> int:
        """Images given to `update`: all, unless a CUDA graph was replayed."""
        return self._counted + int(self._host.images)

    @property
    def images(self) -> int:
        """Images seen; waits for the device only when a CUDA graph may have been replayed."""
        return int(self.joined().images) if self._replayed else self.counted

    @property
    def mantissa_bits(self) -> int:
        """Of the most precise type seen."""
        return max(self._bits, int(self._host.mantissa_bits))

    def update(self, activations: Any, ids: Any, threads: int = 1) -> None:
        """Start the work on a batch; `ids` is int64 on the host or on the device."""
        if not on_device(activations):
            self._joined = None
            self._host.update(activations, np.asarray(ids), threads)
            return
        kind = str(activations.dtype).rsplit(".", 1)[-1]
        if kind not in MANTISSA_BITS:
            raise UserError(
                f"activations must be float32, bfloat16 or float16, got {kind}; convert them first"
            )
        self._bits = max(self._bits, MANTISSA_BITS[kind])
        self._stream = stream_of(activations)
        number, k = int(activations.shape[0]), self._spec.k
        if k <= MOST_K:
            self._start(activations, ids, number)
            return
        for first in range(0, number, k):
            part = slice(first, min(first + k, number))
            self._start(activations[part], ids[part], part.stop - first)

    def _start(self, activations: Any, ids: Any, number: int) -> None:
        if self._spec.k > MOST_K and self._counted + number > self._spec.k:
            self._host = self.joined()
            self._begin()
        self._joined = None
        if self._device.update(activations, ids, self._stream):
            self._replayed = True
        else:
            self._counted += number

    def merge(self, other: Any) -> None:
        """Take in the images of a state on the host."""
        self._host.merge(other)
        self._joined = None

    def keys(self) -> Array:
        """uint64 [U, k] top-k keys, falling."""
        return self.joined().keys()

    def maps(self) -> Array:
        """float32 [U, k, P] maps of the top images."""
        return self.joined().maps()

    def levels(self, quantile: float) -> Array:
        """float32 [U] levels."""
        return self.joined().levels(quantile)

    def counters(self) -> dict[str, Array]:
        """uint64 [U] each: zeros, negatives, nan."""
        return self.joined().counters()

    def export(self) -> dict[str, Array]:
        """The canonical arrays of the state."""
        return self.joined().export()

    def joined(self) -> Any:
        """A host state of everything seen; waits for the device. Again only after new images."""
        if self._joined is None or self._replayed:
            core = native()
            assert core is not None, "there are no kernels without the core"
            arrays, images = self._device.collect(self._stream)
            if images + self._host.images > self._spec.total_images:
                raise UserError(
                    f"ScanState: {images + self._host.images} images, but the scan was made for "
                    f"total_images={self._spec.total_images}; its levels would be wrong"
                )
            state = core.ScanState(*self._spec.native_arguments())
            state.load(arrays, images, self._bits)
            state.merge(self._host)
            self._joined = state
        return self._joined
