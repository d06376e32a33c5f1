"""Sentences, figure and table of the trainings for the report."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from milan_core.captioner.training.histories import Fit
from milan_core.core.section import Column, Picture, Section, Table


def training_section(fits: Sequence[Fit]) -> Section:
    """The section; figure and table lie beside it as history.svg and training.csv."""
    decoders = [fit for fit in fits if fit.phase == "decoder"]
    best = sorted(int(fit.best["epoch"]) for fit in decoders)
    after = [fit.series("val_loss")[-1] - float(fit.best["val_loss"]) for fit in decoders]
    columns = [
        Column("split", "split"),
        Column("seed", "trial", "integer"),
        Column("phase", "model"),
        Column("epochs", "epochs", "integer"),
        Column("best_epoch", "kept", "integer"),
        Column("best_val_loss", "loss of the kept epoch", "number", 3),
        Column("last_val_loss", "loss of the last epoch", "number", 3),
    ]
    return Section(
        name="captioners",
        title="Training of the captioners",
        order=80,
        paragraphs=[
            f"{len(decoders)} captioners were trained. Each keeps the weights of its best epoch on "
            f"held-out units: epochs {best[0]} to {best[-1]} of the decoders. The published code "
            "returned the last epoch instead, whose held-out loss is here "
            f"{statistics.median(after):.3f} nats per word higher (median over the captioners)."
        ],
        items=[
            Picture(
                "history.svg",
                "Held-out loss by epoch (the dot is the kept epoch; dashed: within a network) and "
                "training loss (dotted), one line a training.",
            ),
            Table("training.csv", "Both models of every training.", columns, folded=True),
        ],
    )
