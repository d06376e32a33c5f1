"""The statistics of a layer on a CUDA device, on the caller's stream.

`ScanState.update` moves to `CudaScan` by itself when it is given activations on a device. Nothing
waits for the device until something is read; then the counts come to the host once, and everything
after that is the CPU core's work, so that all answers are equal byte for byte.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

from milan_core.core.errors import UserError
from milan_core.ops import cuda
from milan_core.ops.backend import native
from milan_core.ops.reference import MANTISSA_BITS
from milan_core.ops.spec import ScanSpec

Array = np.ndarray


def place(impl: Any, spec: ScanSpec, activations: Any) -> Any:
    """The backend for these activations: `impl`, or a `CudaScan` that continues it."""
    if isinstance(impl, CudaScan) or not cuda.on_device(activations):
        return impl
    return CudaScan(impl, spec, cuda.device_of(activations))


def _blocks() -> int:
    """Octave blocks that a scan starts with; 0 lets the core choose."""
    text = os.environ.get("MILAN_CUDA_BLOCKS", "0")
    if not text.isdecimal():
        raise UserError(f"MILAN_CUDA_BLOCKS must be a whole number of blocks, got {text!r}")
    return int(text)


class CudaScan:
    """The statistics of one layer on a device; the interface of the native `ScanState`.

    What was counted on the host before, or comes from the host later, stays there; reading joins
    both. With k above `cuda.MOST_K` the device holds the maxima of k images and ranks none; before
    there are more, what it has moves to the host, which waits for it. A batch on another device
    moves the scan there in the same way.
    """

    def __init__(self, before: Any, spec: ScanSpec, device: int):
        self._spec = spec
        self._host = before
        self._where = device
        self._stream: Any = None  # of the last update; None: the default stream
        self._counted = 0  # images on the device
        self._replayed = False
        self._bits = 0
        self._joined: Any = None
        self._begin()

    def _begin(self) -> None:
        """An empty scan on the device."""
        module = cuda.kernels()
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
    def seen_nan(self) -> bool:
        """Has the device reported NaN? Waits for nothing, so the report may be some batches old."""
        return bool(self._device.seen_nan)

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
        if not cuda.on_device(activations):
            self._joined = None
            self._host.update(activations, np.asarray(ids), threads)
            return
        kind = str(activations.dtype).rsplit(".", 1)[-1]
        if kind not in MANTISSA_BITS:
            raise UserError(
                f"activations must be float32, bfloat16 or float16, got {kind}; convert them first"
            )
        self._bits = max(self._bits, MANTISSA_BITS[kind])
        self._move(cuda.device_of(activations), ids)
        number, k = int(activations.shape[0]), self._spec.k
        if k <= cuda.MOST_K:
            self._start(activations, ids, number)
            return
        for first in range(0, number, k):
            part = slice(first, min(first + k, number))
            self._start(activations[part], ids[part], part.stop - first)

    def _move(self, device: int, ids: Any) -> None:
        """Go on at a device, where the image numbers must be too, with what was counted before."""
        there = not isinstance(ids, np.ndarray) and cuda.on_device(ids)
        if there and cuda.device_of(ids) != device:
            raise UserError(
                f"ScanState.update: the activations are on CUDA device {device}, image_ids on "
                f"{cuda.device_of(ids)}; move them to {device} or to the host"
            )
        if device == self._where:
            return
        if self._replayed:
            raise UserError(
                f"ScanState.update: a CUDA graph on device {self._where} counts into this state, "
                f"the batch is on device {device}; use a state for each device and merge them"
            )
        self._host = self.joined()
        self._where, self._stream = device, None
        self._begin()

    def _start(self, activations: Any, ids: Any, number: int) -> None:
        if self._spec.k > cuda.MOST_K and self._counted + number > self._spec.k:
            self._host = self.joined()
            self._begin()
        self._joined = None
        with cuda.lent(activations, ids) as stream:
            self._follow(stream)
            captured = self._device.update(activations, ids, cuda.handle(stream))
        if captured:
            self._replayed = True
        else:
            self._counted += number

    def _follow(self, stream: Any) -> None:
        """Order the work on a stream after the updates before it, which may be on another."""
        before, self._stream = self._stream, stream
        if before is None or stream is None or before == stream:
            return
        if not sys.modules["torch"].cuda.is_current_stream_capturing():
            stream.wait_stream(before)

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
            arrays, images = self._device.collect(cuda.handle(self._stream))
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
