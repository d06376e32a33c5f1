"""The answer of a web server, read by a thread of its own, so that deadlines hold.

A timeout of a socket starts again with every byte, so a server that sends one now and then, in its
headers or in its body, is never silent for long. Here the headers have a deadline, and a body must
bring `Patience.least` bytes a second over every `Patience.read` seconds.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from milan_core.images.fetch.attempt import CHUNK, InterruptedTransfer, Patience

_AHEAD = 8  # blocks of CHUNK bytes that may wait


class Stream:
    """An answer whose body is read in the background."""

    def __init__(self, start: Callable[[], Any], patience: Patience) -> None:
        self._start, self._patience = start, patience
        self._blocks: queue.Queue[Any] = queue.Queue(_AHEAD)
        self._wanted, self._stopped = threading.Event(), threading.Event()
        threading.Thread(target=self._work, daemon=True).start()

    def answer(self) -> Any:
        """Status and headers; raises what the request raised."""
        wait = self._patience.connect + self._patience.read
        return self._next(wait, f"no answer within {wait:g} seconds")

    def blocks(self) -> Iterator[bytes]:
        """The body as it arrives; raises `InterruptedTransfer` for one that is too slow."""
        self._wanted.set()
        window, least = self._patience.read, self._patience.least
        begin, received = time.monotonic(), 0
        slow = f"less than {least:g} bytes a second for {window:g} seconds"
        while True:
            left = max(begin + window - time.monotonic(), 0) + 0.01
            block = self._next(left, "") if received >= least * window else self._next(left, slow)
            if block is None:  # enough came in this window
                begin, received = time.monotonic(), 0
                continue
            if not block:
                return
            yield block
            received += len(block)
            if time.monotonic() - begin >= window:
                if received < least * window:
                    raise InterruptedTransfer(slow)
                begin, received = time.monotonic(), 0

    def close(self) -> None:
        """Let the thread end; a read that is under way ends with its socket."""
        self._stopped.set()
        self._wanted.set()

    def _next(self, wait: float, late: str) -> Any:
        try:
            item = self._blocks.get(timeout=wait)
        except queue.Empty:
            if late:
                raise InterruptedTransfer(late) from None
            return None
        if isinstance(item, BaseException):
            raise item
        return item

    def _work(self) -> None:
        answer = None
        try:
            answer = self._start()
            self._put(answer)
            self._wanted.wait()
            while not self._stopped.is_set():
                block = answer.raw.read1(CHUNK, decode_content=False)
                self._put(block)
                if not block:
                    return
        except BaseException as error:
            self._put(error)
        finally:
            if answer is not None:
                answer.close()

    def _put(self, item: Any) -> None:
        while not self._stopped.is_set():
            try:
                self._blocks.put(item, timeout=0.2)
            except queue.Full:
                continue
            return


@contextmanager
def streamed(start: Callable[[], Any], patience: Patience) -> Iterator[Stream]:
    """A `Stream` of the answer that `start` gives, closed at the end of the block."""
    stream = Stream(start, patience)
    try:
        yield stream
    finally:
        stream.close()
