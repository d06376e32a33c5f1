"""Training histories: the phases of every captioner's training, and one table row for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milan_core.captioner.options import TrainedOn
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv

HEADER = (
    *("split", "seed", "phase", "epochs", "best_epoch"),
    *("best_val_loss", "last_val_loss", "best_bleu"),
)


@dataclass(frozen=True)
class Fit:
    """One phase of one training: rows of its history in the order of epochs."""

    split: str
    seed: int
    phase: str
    rows: Sequence[Mapping[str, str]]
    keep: str = "best"

    @property
    def best(self) -> Mapping[str, str]:
        """The best epoch, whose weights `keep` best keeps: the last better than all before it."""
        return [row for row in self.rows if row["best"] == "True"][-1]

    def series(self, column: str) -> list[float]:
        """A column by epoch."""
        return [float(row[column]) for row in self.rows]


def read_fits(trainings: Sequence[TrainedOn], histories: Sequence[Path]) -> list[Fit]:
    """The phases of every history.csv; a history without an epoch is refused."""
    if len(trainings) != len(histories):
        message = f"got {len(histories)} histories of {len(trainings)} trainings; give one of each"
        raise UserError(message)
    fits = []
    for training, path in zip(trainings, histories, strict=True):
        rows = read_csv(path, ["phase", "epoch", "train_loss", "val_loss", "bleu", "best"])
        if not rows:
            raise UserError(f"{path} has no epochs; train the captioner again")
        for phase in dict.fromkeys(row["phase"] for row in rows):
            chosen = [row for row in rows if row["phase"] == phase]
            fits.append(Fit(training.split, training.seed, phase, chosen, training.keep))
    return fits


def training_rows(fits: Sequence[Fit]) -> list[tuple[Any, ...]]:
    """Rows of training.csv."""
    return [_row(fit) for fit in fits]


def _row(fit: Fit) -> tuple[Any, ...]:
    best = fit.best
    values = (float(best["val_loss"]), fit.series("val_loss")[-1], best["bleu"] or "")
    return (fit.split, fit.seed, fit.phase, len(fit.rows), int(best["epoch"]), *values)
