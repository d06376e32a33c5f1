"""Forced scoring shared by the families: log-probabilities of given ids, and batches of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


def target_logp(logits: Tensor, targets: Tensor, lengths: Tensor) -> np.ndarray:
    """Sum of log p of the first `lengths` targets of every row: float64 (N,).

    Args:
        logits: any float type (N, T, V), position t predicting target t.
        targets: int64 (N, T).
        lengths: int64 (N,); what lies beyond is padding and counts nothing.
    """
    logits = logits.float()
    chosen = logits.gather(2, targets.unsqueeze(2)).squeeze(2)
    terms = (chosen - logits.logsumexp(dim=2)).double()
    counted = torch.arange(targets.shape[1], device=targets.device) < lengths.unsqueeze(1)
    return torch.where(counted, terms, 0.0).sum(dim=1).cpu().numpy()


def padded(rows: Sequence[Sequence[int]], device: Any) -> tuple[Tensor, Tensor]:
    """Rows of ids as int64 (N, longest), zeros after their ends, and their lengths (N,).

    Right padding: a causal decoder never sees it from the positions that count.
    """
    lengths = torch.tensor([len(row) for row in rows], device=device)
    table = torch.zeros((len(rows), int(lengths.max())), dtype=torch.int64)
    for target, row in zip(table, rows, strict=True):
        target[: len(row)] = torch.tensor(row)
    return table.to(device), lengths


def by_length(
    rows: Sequence[Sequence[int]], *, ids: int | None = None, most: int | None = None
) -> Iterator[list[int]]:
    """Indices of rows in batches of similar length.

    No batch exceeds `ids` ids, padding included, or `most` rows; one row is always allowed.
    """
    batch: list[int] = []
    for index in sorted(range(len(rows)), key=lambda row: (len(rows[row]), row)):
        size = len(batch) + 1
        full = (most is not None and size > most) or (
            ids is not None and size * len(rows[index]) > ids
        )
        if batch and full:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
