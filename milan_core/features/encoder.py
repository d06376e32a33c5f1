"""The frozen encoder of the captioner: maps of each image once, pooled under any number of masks.

The maps depend on the image alone; masks only weight them afterwards (spec 4.1). So every distinct
image goes through the network once, and all masks of an image are one matrix product. A mask
weights each cell of a map by the exact area it covers there: the reference sampled four mask pixels
a cell, which loses small regions on coarse maps (spec 6.2-26).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from milan_core import ops
from milan_core.errors import UserError, unknown
from milan_core.runtime.files import (
    atomic_path,
    canonical_json,
    read_json,
    read_npy,
    text_hash,
    write_json,
    write_npy,
)
from milan_core.runtime.seeding import generator

if TYPE_CHECKING:
    from milan_core.exemplars.store import ExemplarSet
    from milan_core.models.zoo import LoadedModel

Masking = Literal["exact", "shuffled", "whole"]
MASKINGS: tuple[Masking, ...] = ("exact", "shuffled", "whole")
_FLOAT16_MAX = 65504.0


@dataclass
class EncodedMaps:
    """Maps of some images of a dataset: row i of each (n, C, h, w) belongs to image ids[i]."""

    maps: list[np.ndarray]  # float16, one a level
    ids: np.ndarray  # int64 (n,), rising
    images: int  # N of the dataset

    @property
    def index(self) -> np.ndarray:
        """int64 (N,): row of each image, -1 where it was not encoded."""
        index = np.full(self.images, -1, np.int64)
        index[self.ids] = np.arange(len(self.ids))
        return index

    @classmethod
    def load(cls, folder: Path | str) -> EncodedMaps:
        """Open the folder of `Encoder.encode_dataset`; maps are memory-mapped."""
        folder = Path(folder)
        meta = read_json(folder / "encoded.json", "encoded maps")
        maps = [read_npy(folder / f"level{i}.npy", mmap=True) for i in range(meta["levels"])]
        return cls(maps, read_npy(folder / "ids.npy"), meta["images"])


class Encoder:
    """A frozen network with the layers whose maps make the pyramid, shallow to deep."""

    def __init__(
        self,
        model: LoadedModel,
        layers: Sequence[str] = (),
        *,
        batch_size: int = 64,
        device: str = "cpu",
    ) -> None:
        from milan_core.models.trace import resolve_layers

        self.model = model
        self.layers = resolve_layers(model.module, layers) if layers else list(model.layers)
        if not self.layers:
            msg = "the encoder has no layers; list them under `layers` of its spec"
            raise UserError(msg)
        self.batch_size = batch_size
        self.device = device
        self._hash = ""

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any], **options: Any) -> Encoder:
        """The encoder of a zoo spec (`milan_core.models.zoo`)."""
        from milan_core.models.zoo import load_model

        return cls(load_model(spec), **options)

    @property
    def hash(self) -> str:
        """Digest of weights, layers and input: equal digests give equal maps."""
        if not self._hash:
            from milan_core.models.zoo import model_hash

            facts = [model_hash(self.model.module), self.layers, self.model.input.to_mapping()]
            facts.append(self.model.post_relu)
            if layout := self.model.layout.to_mapping():
                facts.append(layout)
            self._hash = text_hash(canonical_json(facts), digits=16)
        return self._hash

    def encode_maps(self, images: np.ndarray, ids: np.ndarray | None = None) -> list[np.ndarray]:
        """Maps of `images[ids]` (all of them without `ids`).

        Args:
            images: uint8 (N, H, W, 3), RGB.
            ids: int (n,); a repeated id is encoded again, so pass distinct ones.

        Returns:
            One float16 array (n, C, h, w) a level, rows in the order of `ids`.

        """
        rows = np.arange(len(images)) if ids is None else np.asarray(ids)
        return self._fill(images, rows, lambda level, shape: np.empty(shape, np.float16))

    def encode_dataset(
        self, dataset: Any, folder: Path | str, ids: np.ndarray | None = None
    ) -> EncodedMaps:
        """Encode images of a dataset into a folder, or reuse what is there.

        Writes ``level{i}.npy`` (float16 (n, C, h, w)), ``ids.npy`` and, last, ``encoded.json``, so
        a killed run leaves no folder that looks complete. `ids`: images wanted (default: all).
        """
        folder = Path(folder)
        rows = np.arange(len(dataset.images)) if ids is None else np.unique(np.asarray(ids))
        rows = rows[rows >= 0].astype(np.int64)
        meta = {
            "dataset": dataset.fingerprint,
            "encoder": self.hash,
            "ids": text_hash(rows.tobytes().hex()),
            "images": len(dataset.images),
            "layers": self.layers,
            "levels": len(self.layers),
        }
        done = folder / "encoded.json"
        if done.is_file() and read_json(done) == meta:
            return EncodedMaps.load(folder)
        done.unlink(missing_ok=True)
        self._write_levels(dataset.images, rows, folder)
        write_npy(folder / "ids.npy", rows)
        write_json(done, meta)
        return EncodedMaps.load(folder)

    def _write_levels(self, images: np.ndarray, rows: np.ndarray, folder: Path) -> None:
        with contextlib.ExitStack() as files:

            def make(level: int, shape: tuple[int, ...]) -> np.ndarray:
                path = files.enter_context(atomic_path(folder / f"level{level}.npy"))
                return np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)

            for array in self._fill(images, rows, make):
                array.flush()  # type: ignore[attr-defined]

    def _fill(
        self,
        images: np.ndarray,
        rows: np.ndarray,
        make: Callable[[int, tuple[int, ...]], np.ndarray],
    ) -> list[np.ndarray]:
        """One array a level from `make(level, (n, C, h, w))`, filled batch by batch."""
        if not len(rows):
            raise UserError("there are no images to encode")
        out: list[np.ndarray] = []
        with contextlib.closing(self._batches(images, rows)) as batches:
            for begin, maps in batches:
                if not out:
                    out = [make(level, (len(rows), *m.shape[1:])) for level, m in enumerate(maps)]
                for array, part in zip(out, maps, strict=True):
                    array[begin : begin + len(part)] = part
        return out

    def _batches(
        self, images: np.ndarray, rows: np.ndarray
    ) -> Generator[tuple[int, list[np.ndarray]]]:
        import torch

        from milan_core.models.inputs import prepare
        from milan_core.models.trace import Trace

        found: dict[str, np.ndarray] = {}

        def keep(name: str, tensor: torch.Tensor) -> None:
            maps, _ = self.model.layout.maps(tensor, name)
            # A rare value beyond float16 is kept as the largest one rather than as infinity.
            found[name] = maps.float().clamp(-_FLOAT16_MAX, _FLOAT16_MAX).half().cpu().numpy()

        module = self.model.module.to(self.device)
        with Trace(module, self.layers, keep, post_relu=self.model.post_relu) as trace:
            for begin in range(0, len(rows), self.batch_size):
                part = images[rows[begin : begin + self.batch_size]]
                with torch.inference_mode():  # not across the yield: it is a state of the thread
                    trace(prepare(part, self.model.input, self.device))
                yield begin, [found[name] for name in self.layers]

    def features(
        self, images: np.ndarray, exemplars: ExemplarSet, **options: Any
    ) -> dict[str, np.ndarray]:
        """Encode the distinct exemplar images and pool every layer: {layer: float32 (U, k, F)}."""
        used = np.unique(np.concatenate([exemplars.ids(name).ravel() for name in exemplars.layers]))
        used = used[used >= 0]
        encoded = EncodedMaps(self.encode_maps(images, used), used, len(images))
        return {
            name: pool_exemplars(encoded.maps, encoded.index, exemplars, layer=name, **options)
            for name in exemplars.layers
        }


def pool_exemplars(
    maps: Sequence[np.ndarray],
    index: np.ndarray,
    exemplars: ExemplarSet,
    mask_size: int = 224,
    layer: str | None = None,
    *,
    masking: Masking = "exact",
    append_area: bool = True,
    seed: int = 0,
) -> np.ndarray:
    """Mean of each map under each exemplar's mask, the levels side by side.

    Args:
        maps: one (n, C, h, w) array a level.
        index: int (N,), row in `maps` of each image id.
        exemplars: a whole set.
        mask_size: pixels of a mask's side.
        layer: one layer, or None for all of them below each other, in mining order.
        masking: ``exact`` pools under the exemplar's own mask, ``shuffled`` under the mask of
            another unit of the layer, ``whole`` over the whole image (controls of the features).
        append_area: add the share of the image that the mask covers, as the last feature.
        seed: of the shuffling.

    Returns:
        float32 (U, k, F), F = sum of C (+ 1). Empty masks and empty slots give zeros.

    """
    if masking not in MASKINGS:
        raise unknown("masking", str(masking), MASKINGS)
    names = exemplars.layers if layer is None else [layer]
    parts = []
    for name in names:
        ids = exemplars.ids(name)
        if masking == "whole":
            full = ops.pack_masks(np.ones((1, mask_size, mask_size), bool))
            packed = np.broadcast_to(full, (ids.size, *full.shape[1:]))
        else:
            packed = exemplars.packed_masks(name, mask_size)
            if masking == "shuffled":
                packed = _of_other_units(packed, seed, name)
            packed = packed.reshape(ids.size, *packed.shape[2:])
        pooled = _pool(maps, _rows(index, ids, name), packed, mask_size, append_area)
        parts.append(pooled.reshape(*ids.shape, -1))
    return np.concatenate(parts)


def _of_other_units(packed: np.ndarray, seed: int, layer: str) -> np.ndarray:
    """Give each unit the masks of another one: a random cycle through all units of the layer."""
    order = generator(seed, "shuffled masks", layer).permutation(len(packed))
    if len(order) == 1:
        return np.roll(packed, 1, axis=1)
    donor = np.empty_like(order)
    donor[order] = np.roll(order, 1)
    return packed[donor]


def _rows(index: np.ndarray, ids: np.ndarray, layer: str) -> np.ndarray:
    """Row of `maps` for each slot, flat; -1 for empty slots."""
    flat = ids.reshape(-1)
    if flat.max(initial=-1) >= len(index):
        msg = (
            f"layer {layer!r}: exemplar image {flat.max()} is not among the {len(index)} images of "
            "the encoded dataset; encode the dataset that the exemplars were mined from"
        )
        raise UserError(msg)
    rows = np.where(flat < 0, -1, index[np.maximum(flat, 0)])
    if (missing := flat[(flat >= 0) & (rows < 0)]).size:
        msg = f"layer {layer!r}: image {missing[0]} was not encoded; encode the exemplars' images"
        raise UserError(msg)
    return rows


def _pool(
    maps: Sequence[np.ndarray], rows: np.ndarray, packed: np.ndarray, size: int, append_area: bool
) -> np.ndarray:
    """float32 (slots, F): each slot's map row under its mask (packed, (slots, size, bytes))."""
    parts = [ops.pool_masks(level, rows, packed, width=size) for level in maps]
    if append_area:
        area = ops.mask_areas(packed) / size**2
        parts.append(np.where(rows < 0, 0, area)[:, None].astype(np.float32))
    return np.concatenate(parts, 1)
