"""Batches on their way to a device: read and copied ahead while the network works on others.

On a GPU one thread reads the next batches into pinned memory and starts their copies on a stream of
its own, so that neither disk nor copies make the network wait. On the CPU nothing is done ahead.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

T = TypeVar("T")

AHEAD = 2  # batches on the device besides the one in use, and buffers that they are copied from
Raw = np.ndarray | torch.Tensor


class Copies(Protocol):
    """Copies to a device that are started before they are needed."""

    def here(self) -> contextlib.AbstractContextManager[Any]:
        """Make the device current in this thread."""

    def send(self, raw: Raw) -> Any:
        """Start a copy; `raw` may change afterwards."""

    def take(self, sent: Any) -> torch.Tensor:
        """The copy, for work that this thread starts from now on."""


def fed(batches: Iterable[tuple[Raw, T]], device: str) -> Iterator[tuple[torch.Tensor, T]]:
    """The batches as tensors on a device, each with what came with it.

    On a GPU `batches` is read by another thread, up to `AHEAD` further than what was taken; its
    errors are raised here.
    """
    if torch.device(device).type == "cuda":
        yield from read_ahead(batches, CudaCopies(device))
        return
    for raw, other in batches:
        yield as_tensor(raw).to(device), other


def as_tensor(raw: Raw) -> torch.Tensor:
    """Rows as a tensor, those of an array copied: a memory map is read-only, and torch minds."""
    return torch.from_numpy(np.array(raw, order="C")) if isinstance(raw, np.ndarray) else raw


def read_ahead(
    batches: Iterable[tuple[Raw, T]], copies: Copies
) -> Iterator[tuple[torch.Tensor, T]]:
    """As `fed`, by a thread that ends with this generator."""
    waiting: queue.Queue[Any] = queue.Queue(AHEAD)
    stopped = threading.Event()

    def put(item: Any) -> None:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                waiting.put(item, timeout=0.1)
                return

    def read() -> None:
        try:
            with copies.here(), torch.no_grad():
                for raw, other in batches:
                    if stopped.is_set():
                        return
                    put((copies.send(raw), other))
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=read, name="images", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            sent, other = item
            yield copies.take(sent), other
    finally:
        stopped.set()
        thread.join()


class CudaCopies:
    """Copies to a GPU from a ring of pinned buffers, on a stream of their own."""

    def __init__(self, device: str) -> None:
        index = torch.device(device).index  # a thread's current device is another's business
        index = torch.cuda.current_device() if index is None else index
        self._device = torch.device("cuda", index)
        self._stream = torch.cuda.Stream(self._device)
        self._ring: list[tuple[torch.Tensor, Any]] = []  # buffer, event behind the copy from it

    def here(self) -> contextlib.AbstractContextManager[Any]:
        """See `Copies.here`."""
        return torch.cuda.device(self._device)

    def send(self, raw: Raw) -> tuple[torch.Tensor, Any]:
        """See `Copies.send`; waits where all buffers are still being copied from."""
        if isinstance(raw, torch.Tensor) and raw.device.type != "cpu":
            return raw.to(self._device), None
        buffer = self._free_buffer(raw)
        if isinstance(raw, np.ndarray):
            np.copyto(buffer.numpy(), raw)  # from a memory map: the read itself
        else:
            buffer.copy_(raw)
        with torch.cuda.stream(self._stream):
            there = copied(buffer, self._device)
            event = torch.cuda.Event()
            event.record(self._stream)
        self._ring.append((buffer, event))
        return there, event

    def _free_buffer(self, raw: Raw) -> torch.Tensor:
        shape = tuple(raw.shape)
        dtype = raw.dtype if isinstance(raw, torch.Tensor) else torch_type(raw.dtype)
        if len(self._ring) < AHEAD:
            return pinned(shape, dtype)
        buffer, event = self._ring.pop(0)
        event.synchronize()
        same = buffer.shape == shape and buffer.dtype == dtype
        return buffer if same else pinned(shape, dtype)

    def take(self, sent: tuple[torch.Tensor, Any]) -> torch.Tensor:
        """See `Copies.take`."""
        there, event = sent
        if event is not None:
            stream = torch.cuda.current_stream(self._device)
            stream.wait_event(event)
            there.record_stream(stream)  # its memory belongs to the stream of the copies
        return there


def torch_type(dtype: np.dtype) -> torch.dtype:
    """The type of torch that is NumPy's `dtype`."""
    return torch.from_numpy(np.empty(0, dtype)).dtype


def pinned(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Host memory that a GPU copies from by itself."""
    return torch.empty(shape, dtype=dtype, pin_memory=True)


def copied(buffer: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A copy on the device, which may not be complete yet."""
    return buffer.to(device, non_blocking=True)


def on_way(raw: Raw, device: str | torch.device) -> torch.Tensor:
    """An array or tensor on a device; the host does not wait for a GPU."""
    tensor = torch.from_numpy(raw) if isinstance(raw, np.ndarray) else raw
    if torch.device(device).type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def fits(size: int, device: str) -> bool:
    """Whether `size` bytes may stay on a GPU: at most half of its free memory. Never on the CPU."""
    where = torch.device(device)
    return where.type == "cuda" and size <= int(torch.cuda.mem_get_info(where)[0]) // 2
