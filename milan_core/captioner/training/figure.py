"""Losses of all trainings by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from milan_core.captioner.training.histories import Fit
from milan_core.core.drawing import INK, line_styles, render

PHASES = ("language model", "decoder")


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
    epochs, color = fit.series("epoch"), style["color"]
    axis.plot(epochs, fit.series("train_loss"), color=color, lw=0.8, ls=":")
    axis.plot(epochs, fit.series("val_loss"), lw=1.2, **style)
    axis.plot([float(fit.best["epoch"])], [float(fit.best["val_loss"])], "o", ms=4, color=color)
