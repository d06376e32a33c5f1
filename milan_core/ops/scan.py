"""The statistics of one layer over a data set, collected in one read of its activations.

    state = ScanState(units=512, map_shape=(7, 7), k=15, quantile=0.99, total_images=50_000)
    for activations, image_ids in batches:  # (B, 512, 7, 7)
        state.update(activations, image_ids)
    ids, values, maps = state.topk()
    level, resolved = state.levels()

`total_images` is the size of the whole data set over all shards: it makes the discarded values
certain not to matter. States of shards are joined by `merge`, in any order, with equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from milan_core.core.errors import UserError
from milan_core.ops import cuda, reference
from milan_core.ops.arguments import image_numbers, readable_activations
from milan_core.ops.backend import native
from milan_core.ops.cuda_scan import CudaScan, place
from milan_core.ops.reference.scan import ScanReference
from milan_core.ops.scan_arrays import checked_arrays, repeated
from milan_core.ops.spec import ScanSpec

Array = np.ndarray


class ScanState:
    """Top-k images with their maps, quantile levels and counts of every unit of one layer.

    Args:
        units: channels of the layer.
        map_shape: (height, width) of its maps; (1, 1) for vectors.
        k: images kept for each unit.
        quantile: one or several quantiles that `levels` may be asked for, and any above the least.
        total_images: images in the whole data set, all shards together.
        mode: "top" ranks by the largest value; "bottom" negates the activations first and
            "magnitude" takes their absolute value, and all results speak of the changed values.
        bits: mantissa bits of a histogram bin: levels are within 2**-bits of the true value
            (relative to at least the smallest normal float), exact for bfloat16 when bits >= 7 and
            for float16 when bits >= 10. 23 makes them exact for float32 as well: the largest values
            are kept one by one, about 20 bytes for each of the n - ceil(q n) + 1 per unit, and what
            could take more than 8 GiB is refused.
        keep_maps: keep a copy of the maps of the top images.

    """

    def __init__(
        self,
        units: int,
        map_shape: tuple[int, int],
        k: int,
        quantile: Any,
        total_images: int,
        *,
        mode: str = "top",
        bits: int = 10,
        keep_maps: bool = True,
    ):
        spec = ScanSpec.ensure(units, map_shape, k, quantile, total_images, mode, bits, keep_maps)
        self.spec = spec
        core = native()
        try:
            self._impl: Any = (
                core.ScanState(*spec.native_arguments()) if core else ScanReference(spec)
            )
        except (MemoryError, ValueError):  # std::bad_alloc, std::length_error
            kept = spec.units * spec.k * (8 + (4 * spec.pixels if spec.keep_maps else 0))
            raise UserError(
                f"ScanState: {spec.units} units with k={spec.k} and maps of {spec.pixels} pixels "
                f"need {kept / 2**30:.1f} GiB or more, which this machine does not have; lower k, "
                "scan fewer layers, or keep no maps"
            ) from None

    @property
    def images(self) -> int:
        """Images seen so far."""
        return int(self._impl.images)

    def update(
        self, activations: Any, image_ids: Any, threads: int = 1, *, maxima: bool = False
    ) -> Array | None:
        """Add a batch: (B, units, h, w) in any strides, or (B, units); float32, bfloat16, float16.

        `image_ids` are the indices of the images in the data set, below 2**32, each given once.
        CPU arrays are read in place through DLPack; a strided view costs one pass more only when
        neither its pixels nor its units are adjacent in memory. Activations on a CUDA device are
        counted there, on the caller's stream; `image_ids` may then be an int64 tensor on the device
        too, whose range is the caller's care (docs/gpu.md).

        With `maxima`, what the images are ranked by comes back from the same read: float32
        [B, units], the largest of the changed values of each map, NaN left out, -inf where all are
        NaN. None otherwise, and where the backend keeps them: a scan on a device does.
        """
        activations = readable_activations(activations)
        ids: Any = image_ids if cuda.on_device(image_ids) else image_numbers(image_ids)
        shape, number = tuple(activations.shape), int(ids.shape[0])
        expected = (number, self.spec.units, *self.spec.map_shape)
        if shape != expected and not (shape == expected[:2] and self.spec.pixels == 1):
            raise UserError(
                f"ScanState.update: activations must be (images, units, height, width) = "
                f"{expected}, got {shape}"
            )
        self._check_total((self._impl.counted if self.on_device else self.images) + number)
        if not number:
            return np.zeros((0, self.spec.units), np.float32) if maxima else None
        activations = cuda.reachable(activations, self.spec)
        if cuda.on_device(ids) and not cuda.on_device(activations):
            ids = image_numbers(ids.cpu())
        self._impl = place(self._impl, self.spec, activations)
        giving = getattr(self._impl, "update_maxima", None) if maxima else None
        if giving is None:
            self._impl.update(activations, ids, max(1, int(threads)))
            return None
        largest: Array = giving(activations, ids, max(1, int(threads)))
        return largest + np.float32(0)  # -0 becomes 0

    @property
    def on_device(self) -> bool:
        """Are statistics kept on a CUDA device, so that reading them waits for it?"""
        return isinstance(self._impl, CudaScan)

    @property
    def seen_nan(self) -> bool:
        """Has NaN been seen? On a device the answer may lag some batches and waits for nothing."""
        if isinstance(self._impl, CudaScan):
            return self._impl.seen_nan
        return bool(self._impl.counters()["nan"].any())

    def merge(self, other: ScanState) -> None:
        """Take in the state of other images; `other` is unchanged."""
        difference = self.spec.difference(other.spec)
        if difference:
            raise UserError(f"ScanState.merge: the states cannot be merged: {difference}")
        self._check_total(self.images + other.images)
        theirs = other._impl.joined() if other.on_device else other._impl
        unit = _sharing_unit(self._impl.keys(), theirs.keys())
        if unit is not None:
            raise UserError(
                f"ScanState.merge: both states hold the same image for unit {unit}; "
                "every image may be in one shard only"
            )
        self._impl.merge(theirs)

    def topk(self) -> tuple[Array, Array, Array | None]:
        """(ids int64 [U, k], values float32 [U, k], maps float32 [U, k, h, w] or None).

        Best first, ties by lower id. With fewer than k images the rest has id -1, value -inf and a
        map of zeros. Images whose values are all NaN never enter.
        """
        keys = _without_repeats(self._impl.keys())
        empty = keys == 0
        ids = (~keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
        values = reference.from_ordered((keys >> np.uint64(32)).astype(np.uint32))
        ids[empty], values[empty] = -1, -np.inf
        if not self.spec.keep_maps:
            return ids, values, None
        shape = (self.spec.units, self.spec.k, *self.spec.map_shape)
        return ids, values, self._impl.maps().reshape(shape)

    def levels(self, q: float | None = None) -> tuple[Array, Array]:
        """(level float32 [U], resolved bool [U]): the r-th largest value, r = n - ceil(q n) + 1.

        Without `q` the smallest quantile of the constructor. Dead and sparse units have level
        exactly 0. A unit is not resolved (NaN) only when it has no value that is not NaN.
        """
        q = self.spec.quantiles[0] if q is None else float(q)
        if not self.spec.quantiles[0] <= q <= 1:
            raise UserError(
                f"ScanState.levels: this state answers quantiles from {self.spec.quantiles[0]} "
                f"to 1, got {q}; name the quantile when the scan starts"
            )
        level = self._impl.levels(q)
        return level, ~np.isnan(level)

    def counts(self) -> dict[str, Array]:
        """uint64 [U] each: values (without NaN), zeros, negatives, nan."""
        arrays = self._impl.counters()
        values = np.uint64(self.images * self.spec.pixels) - arrays["nan"]
        return {"values": values, **arrays}

    def to_arrays(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """(arrays, JSON metadata): a pure function of the set of images seen, byte for byte.

        nan, zeros, negatives: uint64 [U]. cells: uint32 [U], how many of `bins` (uint32) and
        `counts` (uint64) belong to each unit: its histogram from the bin of the wanted level up.
        keys: uint64 [U, k], ordered(value) << 32 | ~id, falling. maps: float32 [U, k, h * w].
        """
        meta = {
            **self.spec.to_meta(),
            "images": self.images,
            "mantissa_bits": int(self._impl.mantissa_bits),
        }
        arrays = self._impl.export()
        _without_repeats(arrays["keys"])
        return arrays, meta

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> ScanState:
        """The state of `to_arrays`; anything inconsistent is refused with a sentence."""
        spec = ScanSpec.from_meta(meta)
        images, mantissa = meta.get("images"), meta.get("mantissa_bits")
        if not isinstance(images, int) or not isinstance(mantissa, int) or not 0 <= mantissa <= 23:
            raise UserError("scan state: the header lacks images or mantissa_bits")
        checked = checked_arrays(arrays, spec, images)
        state = cls(
            spec.units,
            spec.map_shape,
            spec.k,
            spec.quantiles,
            spec.total_images,
            mode=spec.mode,
            bits=spec.bits,
            keep_maps=spec.keep_maps,
        )
        state._check_total(images)
        state._impl.load(checked, images, mantissa)
        return state

    def _check_total(self, images: int) -> None:
        if not 0 <= images <= self.spec.total_images:
            raise UserError(
                f"ScanState: {images} images, but the scan was made for "
                f"total_images={self.spec.total_images}; its levels would be wrong"
            )


def _without_repeats(keys: Array) -> Array:
    """The keys (units, k), or a `UserError` when an image is twice among the best of a unit."""
    if twice := repeated(keys):
        unit, image = twice
        raise UserError(
            f"ScanState: image {image} was given twice: it is twice among the best of unit {unit}; "
            "give every image once"
        )
    return keys


def _sharing_unit(a: Array, b: Array) -> int | None:
    """The first unit for which two states hold the same key (units, k)."""
    keys = np.sort(np.concatenate([a, b], 1), 1)
    units = np.flatnonzero(((keys[:, 1:] == keys[:, :-1]) & (keys[:, 1:] > 0)).any(1))
    return int(units[0]) if len(units) else None
