"""How the captioners were trained: losses by epoch as one figure, a table, and sentences.

Reads the `history.csv` of any number of captioners, `.../<split>/seed<seed>/history.csv`.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milan_core.core.drawing import INK, render, write_figure
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, write_csv
from milan_core.core.section import Column, Picture, Section, Table, write_section
from milan_core.scoring.figures import line_styles

PHASES = ("language model", "decoder")
HEADER = (
    *("split", "seed", "phase", "epochs", "best_epoch"),
    *("best_val_loss", "last_val_loss", "best_bleu"),
)


@dataclass(frozen=True)
class Fit:
    """One phase of one training: rows of its history, epochs rising."""

    split: str
    seed: str
    phase: str
    rows: Sequence[Mapping[str, str]]

    @property
    def best(self) -> Mapping[str, str]:
        """The epoch whose weights were kept: the last one that was better than all before it."""
        return [row for row in self.rows if row["best"] == "True"][-1]

    def series(self, column: str) -> list[float]:
        """A column by epoch."""
        return [float(row[column]) for row in self.rows]


def read_fits(paths: Sequence[Path]) -> list[Fit]:
    """The phases of every history; a history without an epoch is refused."""
    fits = []
    for path in paths:
        rows = read_csv(path, ["phase", "epoch", "train_loss", "val_loss", "bleu", "best"])
        if not rows:
            raise UserError(f"{path} has no epochs; train the captioner again")
        folder = path.parent
        seed = folder.name.removeprefix("seed")
        for phase in dict.fromkeys(row["phase"] for row in rows):
            chosen = [row for row in rows if row["phase"] == phase]
            fits.append(Fit(folder.parent.name, seed, phase, chosen))
    return fits


def history_figure(fits: Sequence[Fit]) -> str:
    """SVG: held-out loss (dot at the kept epoch) and training loss (dotted) by epoch."""
    phases = [phase for phase in PHASES if any(fit.phase == phase for fit in fits)]
    splits = list(dict.fromkeys(fit.split for fit in fits))
    styles = {**line_styles([s for s in splits if s != "all"]), "all": {"color": INK, "ls": "-"}}

    def draw(figure: Any) -> None:
        axes = figure.subplots(1, len(phases), squeeze=False)[0]
        for axis, phase in zip(axes, phases, strict=True):
            for fit in fits:
                if fit.phase == phase:
                    _lines(axis, fit, styles[fit.split])
            axis.set_title(phase)
            axis.set_xlabel("epoch")
            axis.xaxis.get_major_locator().set_params(integer=True)
        axes[0].set_ylabel("loss, nats per word")
        handles = [axes[0].plot([], [], label=name, **styles[name])[0] for name in splits]
        handles += axes[0].plot([], [], color=INK, lw=0.8, ls=":", label="training loss")
        figure.legend(handles=handles, loc="outside lower center", ncols=3)

    height = 2.6 + 0.2 * -(-(len(splits) + 1) // 3)
    return render(draw, "histories", (3.6 * len(phases), height))


def _lines(axis: Any, fit: Fit, style: Mapping[str, Any]) -> None:
    epochs, colour = fit.series("epoch"), style["color"]
    axis.plot(epochs, fit.series("train_loss"), color=colour, lw=0.8, ls=":")
    axis.plot(epochs, fit.series("val_loss"), lw=1.2, **style)
    axis.plot([float(fit.best["epoch"])], [float(fit.best["val_loss"])], "o", ms=4, color=colour)


def write_histories(paths: Sequence[Path], out: Path) -> None:
    """Write history.svg, training.csv and section.json to `out`."""
    fits = read_fits(paths)
    write_figure(out / "history.svg", history_figure(fits))
    write_csv(out / "training.csv", HEADER, [_row(fit) for fit in fits])
    write_section(out / "section.json", _section(fits))


def _row(fit: Fit) -> tuple[Any, ...]:
    best = fit.best
    values = (float(best["val_loss"]), fit.series("val_loss")[-1], best["bleu"] or "")
    return (fit.split, fit.seed, fit.phase, len(fit.rows), int(best["epoch"]), *values)


def _section(fits: Sequence[Fit]) -> Section:
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
