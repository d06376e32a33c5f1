"""Images in full batches with data set ids, whatever form they come in (`sources`)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from milan_core.core.errors import UserError
from milan_core.networks.feeding import Raw, as_tensor, fed
from milan_core.networks.options import InputSpec

Batch = tuple[torch.Tensor, np.ndarray]  # ([batch_size, ...], ids of the first rows)


class ImageSource:
    """N inputs of a model, with ids 0..N-1.

    `rows(ids)` gives some ids as they are stored, and `ready` makes inputs of them on their device;
    a source that can only be read in order has `stream()` instead, which gives all inputs in
    batches of any size.

    `fingerprint` names the images before they are read; `content` is a digest of those that can
    only be read in order, once they were.
    """

    def __init__(
        self,
        total: int,
        fingerprint: str,
        rows: Callable[[np.ndarray], Raw] | None = None,
        stream: Callable[[], Iterator[torch.Tensor]] | None = None,
        stored: np.ndarray | None = None,
        input: InputSpec | None = None,
        items: Callable[[int], torch.Tensor] | None = None,
        ready: Callable[[torch.Tensor], torch.Tensor] = lambda rows: rows,
    ) -> None:
        if total < 1:
            msg = "there are no images to mine"
            raise UserError(msg)
        self.total = total
        self.fingerprint = fingerprint
        self.stored = stored  # uint8 (N, H, W, 3), when the images came as bytes
        self.input = input  # how they become the inputs; None for ready-made tensors
        self._rows = rows
        self._stream = stream
        self._ready = ready
        self.items = items  # the first inputs of a stream, read one by one; None: cannot be
        self.content = ""

    @property
    def in_order(self) -> bool:
        """Whether the images can only be read in order, from the first."""
        return self._rows is None

    def first_rows(self, first: int, count: int) -> torch.Tensor:
        """Inputs that are mined first: from image `first`, or from the first of a stream."""
        if self._rows is not None:
            start = first if first < self.total else 0
            ids = np.arange(start, min(start + count, self.total))
            return self._ready(as_tensor(self._rows(ids)))
        assert self._stream is not None
        batch = next(self._stream(), None)
        if batch is None:
            msg = f"the DataLoader gave 0 images, but its dataset has {self.total}"
            raise UserError(msg + "; use drop_last=False and a sampler that gives each image once")
        return batch[:count]

    @property
    def random_sentence(self) -> str:
        """The message for a second reading that gives other images."""
        if self.in_order:
            return (
                "the DataLoader shuffles or draws its images at random: a second reading gave "
                "others, so its order cannot give image ids; use shuffle=False, a sampler with a "
                "fixed order and no random transforms"
            )
        return (
            "the data set gives another image when the same index is read again, so its exemplars "
            "could not be shown; leave out random transforms, or seed them by the index"
        )

    def batches(
        self,
        shard: tuple[int, int],
        batch_size: int,
        heldout: np.ndarray | None = None,
        first: np.ndarray | None = None,
        device: str = "cpu",
    ) -> Iterator[Batch]:
        """Batches of exactly `batch_size` inputs on a device: (inputs, ids).

        Images of `heldout` (bool [total]) and others are never in one batch, and come last; within
        both, those of `first` (bool [total]) come first. A source that can only be read in order
        keeps its order. Bytes become inputs on the device; on a GPU the next batches are read and
        copied meanwhile (`networks.feeding`).

        The last one is filled up with copies, whose rows have no id: a convolution may choose
        another algorithm for another batch size, and its rounding must not depend on where a
        shard happens to end. An empty shard gives one batch without ids, from image 0, so that
        every shard knows the shapes of all layers.
        """
        for raw, ids in fed(self._parts(shard, batch_size, heldout, first), device):
            yield self._ready(raw), ids

    def _parts(
        self,
        shard: tuple[int, int],
        batch_size: int,
        heldout: np.ndarray | None,
        first: np.ndarray | None,
    ) -> Iterator[tuple[Raw, np.ndarray]]:
        wanted = np.arange(shard[0], self.total, shard[1])
        apart = np.zeros(self.total, bool) if heldout is None else heldout
        if self._rows is None:
            yield from self._streamed(shard, batch_size, apart)
            return
        ordered = wanted if first is None else wanted[np.argsort(~first[wanted], kind="stable")]
        for part in (ordered[~apart[ordered]], ordered[apart[ordered]]):
            for begin in range(0, len(part), batch_size):
                ids = part[begin : begin + batch_size]
                yield _filled(self._rows(ids), batch_size), ids
        if not len(wanted):
            yield _filled(self._rows(np.zeros(1, np.int64)), batch_size), wanted

    def _streamed(
        self, shard: tuple[int, int], batch_size: int, apart: np.ndarray
    ) -> Iterator[Batch]:
        assert self._stream is not None
        waiting: dict[bool, tuple[list[torch.Tensor], list[int]]] = {
            False: ([], []),
            True: ([], []),
        }
        first: torch.Tensor | None = None
        position, content = 0, hashlib.sha256()
        for batch in self._stream():
            first = batch[:1] if first is None else first
            content.update(raw_bytes(batch))
            for row in range(len(batch)):
                image = position + row
                if image % shard[1] != shard[0] or image >= self.total:
                    continue
                rows, ids = waiting[bool(apart[image])]
                rows.append(batch[row])
                ids.append(image)
                if len(ids) == batch_size:
                    yield torch.stack(rows), np.array(ids)
                    rows.clear()
                    ids.clear()
            position += len(batch)
        if position != self.total:
            msg = f"the DataLoader gave {position} images, but its dataset has {self.total}"
            raise UserError(msg + "; use drop_last=False and a sampler that gives each image once")
        assert first is not None
        self.content = content.hexdigest()[:16]
        for rows, ids in waiting.values():
            if ids:
                yield _filled(torch.stack(rows), batch_size), np.array(ids, dtype=np.int64)
        if shard[0] >= self.total:
            yield _filled(first, batch_size), np.zeros(0, np.int64)


def _filled(rows: Any, batch_size: int) -> Any:
    """Rows, an array or a tensor, with copies of the last one up to `batch_size`."""
    missing = batch_size - len(rows)
    if not missing:
        return rows
    if isinstance(rows, np.ndarray):
        return np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)])
    return torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])])


def raw_bytes(tensor: torch.Tensor) -> memoryview:
    """The bytes of a tensor, in the order of its elements."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
