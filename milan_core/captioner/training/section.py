"""Sentences, figure and table of the trainings for the report."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from milan_core.captioner.training.histories import Fit
from milan_core.core.section import Column, Picture, Section, Table


def training_section(fits: Sequence[Fit]) -> Section:
    """The section; figure and table lie beside it as history.svg and training.csv."""
    decoders = [fit for fit in fits if fit.phase == "decoder"]
    kept = "best" if any(fit.keep == "last" for fit in decoders) else "kept"
    columns = [
        Column("split", "split"),
        Column("seed", "trial", "integer"),
        Column("phase", "model"),
        Column("epochs", "epochs", "integer"),
        Column("best_epoch", kept, "integer"),
        Column("best_val_loss", f"loss of the {kept} epoch", "number", 3),
        Column("last_val_loss", "loss of the last epoch", "number", 3),
    ]
    return Section(
        name="captioners",
        title="Training of the captioners",
        order=80,
        paragraphs=[_told(decoders)],
        items=[
            Picture(
                "history.svg",
                f"Held-out loss by epoch (the dot is the {kept} epoch; dashed: within a network) "
                "and training loss (dotted), one line a training.",
            ),
            Table("training.csv", "Both models of every training.", columns, folded=True),
        ],
    )


def _told(decoders: Sequence[Fit]) -> str:
    """Which epoch's weights the captioners keep, and what the last epoch costs."""
    last = sum(fit.keep == "last" for fit in decoders)
    best = sorted(int(fit.best["epoch"]) for fit in decoders)
    epochs = f"epochs {best[0]} to {best[-1]} of the decoders"
    after = statistics.median(
        fit.series("val_loss")[-1] - float(fit.best["val_loss"]) for fit in decoders
    )
    loss = (
        f"{abs(after):.3f} nats per word {'lower' if after < 0 else 'higher'} (median over the "
        "captioners)"
    )
    start = f"{len(decoders)} captioners were trained"
    if not last:
        return (
            f"{start}. Each keeps the weights of its best epoch on held-out units: {epochs}. The "
            f"published code returned the last epoch instead, whose held-out loss is here {loss}."
        )
    which = (
        ". Each keeps the weights of its last epoch, as the published code did."
        if last == len(decoders)
        else f". {last} of them kept the weights of the last epoch, as the published code did."
    )
    return (
        f"{start}{which} The best on held-out units were {epochs}; the held-out loss of the last "
        f"epoch is {loss}."
    )
