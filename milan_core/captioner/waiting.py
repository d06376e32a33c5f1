"""Decode on a device without making the host wait for values in a step.

Search on the CPU leaves out what has ended and what is there twice. How much that is, a host would
have to ask a GPU in every step, and launch nothing meanwhile; so on a GPU sizes are fixed, and what
has ended is reported and noticed some steps later.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def apart(x: Tensor) -> bool:
    """Whether a tensor is on such a device."""
    return x.device.type != "cpu"


def distinct(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Different ones of `rows` (R,), rising, and the place of each among them: (R,).

    On a device that works on its own all of them, as they are.
    """
    if apart(rows):
        return rows, torch.arange(len(rows), device=rows.device)
    return torch.unique(rows, return_inverse=True)


class Reports:
    """Truths that a device reports; `known` waits for nothing, so the answer may be late."""

    def __init__(self) -> None:
        self._sent: list[tuple[Tensor, Any]] = []

    def add(self, truth: Tensor) -> None:
        """Send a boolean behind the work so far."""
        self._sent.append(reported(truth))

    @property
    def known(self) -> bool:
        """Whether one that has arrived is true."""
        while self._sent:
            here, event = self._sent[0]
            if event is not None and not event.query():
                return False
            del self._sent[0]
            if here:
                return True
        return False


def reported(truth: Tensor) -> tuple[Tensor, Any]:
    """A copy on the host, and the event behind it; without one it is there."""
    if not truth.is_cuda:
        return truth, None
    here = torch.empty((), dtype=torch.bool, pin_memory=True)
    here.copy_(truth, non_blocking=True)
    event = torch.cuda.Event()
    event.record(torch.cuda.current_stream(truth.device))
    return here, event
