"""Fitting with early stopping; the best epoch is kept, and a killed fit resumes.

Every epoch draws its random numbers from generators named after the epoch, so an epoch depends only
on the weights and optimizer state before it. A fit that is killed and started again therefore ends
with the same bytes as one that was left alone.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from milan_core.captioner.options import CaptionerSettings
from milan_core.core.errors import UserError, reading
from milan_core.core.names import items_below
from milan_core.core.options import Content
from milan_core.core.progress import bar
from milan_core.core.tensors import load_tensors, save_tensors

_log = logging.getLogger(__name__)

Row = dict[str, Any]
"""One line of the history: phase, epoch, train_loss, val_loss, bleu, best."""

STATE_KIND, STATE_FORMAT = "training state", 1


class Task(Protocol):
    """A model to fit, with its data."""

    name: str
    optimizer: torch.optim.Optimizer

    @property
    def model(self) -> nn.Module:
        """The model that is trained."""

    def train_epoch(self, epoch: int) -> float:
        """One pass over the training data; gives the mean loss."""

    def evaluate(self) -> Row:
        """The held-out measures of the present weights."""

    def rank(self, row: Row) -> Sequence[float]:
        """The measures that decide which epoch is best, larger is better, most important first."""


@dataclass
class Progress:
    """State of a fit after its last epoch."""

    rows: list[Row] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_rank: list[float] = field(default_factory=list)
    stale: int = 0


class OpenMeta(Content):
    """The fit that was not finished: `Progress` without its weights."""

    task: str
    rows: list[Row]
    best_rank: list[float]
    stale: int


class StateMeta(Content):
    """Metadata of a `StateFile`: the rows of finished fits by task, and the open one."""

    fingerprint: str
    finished: dict[str, list[Row]]
    open: OpenMeta | None


class StateFile:
    """The resumable state of a series of fits, in one file that no other training accepts.

    Without a path nothing is written.
    """

    def __init__(self, path: Path | None, fingerprint: str, seconds: float) -> None:
        self.path, self._fingerprint, self._seconds = path, fingerprint, seconds
        self._written = time.monotonic()
        self._finished: dict[str, tuple[dict[str, Tensor], list[Row]]] = {}
        self._open: tuple[OpenMeta, dict[str, Tensor]] | None = None
        if path is not None and path.exists():
            with reading(path, "the state of a training", "delete it to start afresh"):
                self._read(path, *load_tensors(path, STATE_KIND, StateMeta, (STATE_FORMAT,)))

    def _read(self, path: Path, arrays: dict[str, np.ndarray], meta: StateMeta) -> None:
        if meta.fingerprint != self._fingerprint:
            # An edited configuration or code must neither stop a run nor be mixed with the old one.
            _log.warning("%s is of another training: starting afresh", path)
            return
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        for name, rows in meta.finished.items():
            self._finished[name] = (items_below(tensors, f"finished.{name}."), rows)
        if meta.open is not None:
            self._open = meta.open, items_below(tensors, "open.")

    def finished(self, task: Task) -> list[Row] | None:
        """Load the weights of a finished fit and return its history; None if it is not finished."""
        if task.name not in self._finished:
            return None
        weights, rows = self._finished[task.name]
        task.model.load_state_dict(weights)
        return rows

    def resume(self, task: Task) -> Progress:
        """Restore the task from the file; a fresh start where the file has no such task."""
        if self._open is None or self._open[0].task != task.name:
            return Progress()
        meta, tensors = self._open
        self._open = None
        task.model.load_state_dict(items_below(tensors, "model."))
        _load_optimizer(task.optimizer, items_below(tensors, "optimizer."))
        return Progress(meta.rows, items_below(tensors, "best."), meta.best_rank, meta.stale)

    def keep(self, task: Task, progress: Progress) -> None:
        """Write the state after an epoch, unless the last write was only moments ago."""
        if self.path is None or time.monotonic() - self._written < self._seconds:
            return
        state = {
            **_prefixed("open.model.", task.model.state_dict()),
            **_prefixed("open.best.", progress.best),
            **_prefixed("open.optimizer.", _optimizer_tensors(task.optimizer)),
        }
        for name, (weights, _) in self._finished.items():
            state |= _prefixed(f"finished.{name}.", weights)
        meta = {
            "fingerprint": self._fingerprint,
            "finished": {name: rows for name, (_, rows) in self._finished.items()},
            "open": {
                "task": task.name,
                "rows": progress.rows,
                "best_rank": progress.best_rank,
                "stale": progress.stale,
            },
        }
        arrays = {name: tensor.detach().cpu().numpy() for name, tensor in state.items()}
        save_tensors(self.path, STATE_KIND, STATE_FORMAT, arrays, meta)
        self._written = time.monotonic()

    def finish(self, task: Task, rows: list[Row]) -> None:
        """Keep a finished fit for the states of later fits."""
        self._finished[task.name] = (_copy(task.model), rows)


def fit(task: Task, state: StateFile, settings: CaptionerSettings) -> list[Row]:
    """Train until `patience` is exceeded and restore the best epoch's weights: the history.

    The best weights are copies: the published code kept references to the weights in training, and
    so returned the last epoch (specification 6.2, defect 1), which `keep: last` does on purpose.
    """
    if (rows := state.finished(task)) is not None:
        return rows
    progress = state.resume(task)
    most = settings.max_epochs
    with bar(task.name, "epoch", most, done=len(progress.rows)) as drawn:
        while len(progress.rows) < most and progress.stale <= settings.patience:
            row = _one_epoch(task, progress)
            drawn.set_postfix_str(f"loss {row['train_loss']:.3f}, held out {row['val_loss']:.3f}")
            drawn.update()
            state.keep(task, progress)
    if settings.keep == "best":
        task.model.load_state_dict(progress.best)
    state.finish(task, progress.rows)
    return progress.rows


def _one_epoch(task: Task, progress: Progress) -> Row:
    """Train and evaluate once; updates `progress`."""
    epoch = len(progress.rows) + 1
    loss = task.train_epoch(epoch)
    if not math.isfinite(loss):
        message = f"the {task.name} diverged in epoch {epoch} (loss {loss}); lower captioner.lr"
        raise UserError(message)
    row = {"phase": task.name, "epoch": epoch, "train_loss": loss, **task.evaluate()}
    rank = list(task.rank(row))
    row["best"] = not progress.best_rank or rank > progress.best_rank
    if row["best"]:
        progress.best, progress.best_rank, progress.stale = _copy(task.model), rank, 0
    else:
        progress.stale += 1
    progress.rows.append(row)
    return row


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Moments and step counts by parameter number: "3.exp_avg"."""
    return {
        f"{index}.{name}": tensor
        for index, values in optimizer.state_dict()["state"].items()
        for name, tensor in values.items()
    }


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor.clone()
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
