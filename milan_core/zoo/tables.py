"""The tables of docs/zoo.md: scores against exact truth, in Markdown, between marks of the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.progress import tracked
from milan_core.referee.metrics import HEADLINE
from milan_core.referee.resampling import Interval
from milan_core.referee.sanity import Verdict
from milan_core.zoo.published import PUBLISHED
from milan_core.zoo.rank import Field, Ordered, Ranked, rank_one, trivial
from milan_core.zoo.run import Run, order_of_describers, order_of_texts
from milan_core.zoo.scores import NAMES
from milan_core.zoo.study import JUDGES, Figures, StudyOptions, figures, over_seeds, score_seed

Rows = list[list[str]]


class Study:
    """Figures of every score over seeds.

    Args:
        options: how much is drawn.

    """

    def __init__(self, options: StudyOptions):
        self.options = options
        self.figures: dict[str, dict[str, list[Figures]]] = {
            judge: {name: [] for name in NAMES} for judge in JUDGES
        }
        self.verdicts: dict[str, list[Verdict]] = {}
        self.units = self.texts = 0
        for seed in tracked(range(options.seeds), "scores", "seed"):
            scores, verdicts = score_seed(seed, options)
            for judge, table in self.figures.items():
                for name, rows in table.items():
                    rows.append(figures(scores[judge], name))
            for verdict in verdicts:
                self.verdicts.setdefault(verdict.metric, []).append(verdict)
            first = scores[JUDGES[0]]
            self.units, self.texts = int(first.unit.max()) + 1, len(first.candidates)

    def mean(self, name: str, read: Callable[[Figures], float], judge: str = "oracle") -> Interval:
        """A figure of a score over seeds."""
        return over_seeds([read(one) for one in self.figures[judge][name]])

    def tau(self, name: str, judge: str, agreement: str = "kappa") -> Interval:
        """Kendall's tau with exact agreement over seeds."""
        return self.mean(name, lambda one: one.tau[agreement], judge)

    def ranked(self) -> list[str]:
        """Scores by their tau with kappa, the mean over both judges, best first."""
        return sorted(NAMES, key=lambda name: -sum(self.tau(name, j).value for j in JUDGES))


def scores_block(study: Study, theory: Sequence[Verdict]) -> str:
    """Everything that the page says of scores."""
    o = study.options
    lines = [
        f"{study.units} units, {study.texts} texts, {o.images} scored scenes and {o.pairs} pairs "
        f"of scenes a seed, {o.seeds} seeds; exact agreement over {o.population:,} other scenes.",
        "Means with 95 % t intervals over seeds.",
        "",
        "**Agreement with exact truth**: Kendall's tau between a score and exact agreement over",
        "the texts of a unit, mean over units; ordered by the mean of the first two columns.",
        "",
        *markdown(*_agreement_table(study)),
        "",
        "**What a score says of right, half right and wrong texts**, by the oracle. Places run",
        "from unrelated texts (0) to the truth (1).",
        "",
        *markdown(*_places_table(study)),
        "",
        "**Sanity tests** of NeuronEval: percent of units that pass *missing* and *extra* labels.",
        "",
        *markdown(*_sanity_table(study, theory)),
    ]
    return "\n".join(lines)


def _agreement_table(study: Study) -> tuple[list[str], Rows]:
    head = [
        *("score", "kappa, oracle", "kappa, noisy judge", "iou", "information"),
        "all units at once",
    ]
    rows = [
        [
            name,
            *(shown(study.tau(name, judge)) for judge in JUDGES),
            *(shown(study.tau(name, "oracle", kind)) for kind in ("iou", "information")),
            shown(study.mean(name, lambda one: one.pooled)),
        ]
        for name in study.ranked()
    ]
    return head, rows


def _places_table(study: Study) -> tuple[list[str], Rows]:
    head = [
        *("score", "truth not beaten, yes-no units %", "counts, sizes, signed %"),
        *("truth alone on top %", "parts between %"),
        *("place of parts", "of a wrong attribute", "of a constant", "undefined %"),
    ]
    rows = []
    for name in study.ranked():
        shares = [
            percent(study.mean(name, read))
            for read in (
                lambda one: one.best,
                lambda one: one.best_graded,
                lambda one: one.alone,
                lambda one: one.between,
            )
        ]
        places = [
            shown(study.mean(name, read))
            for read in (lambda one: one.part, lambda one: one.attribute, lambda one: one.constant)
        ]
        undefined = percent(study.mean(name, lambda one: one.undefined))
        rows.append([name, *shares, *places, undefined])
    return head, rows


def _sanity_table(study: Study, theory: Sequence[Verdict]) -> tuple[list[str], Rows]:
    head = [
        *("score", "zoo: missing", "extra", "both"),
        *("exact units of the published frequencies: missing", "extra"),
        *("published model: missing, extra", "published measurement: missing, extra"),
    ]
    exact: Mapping[str, Verdict] = {verdict.metric: verdict for verdict in theory}
    rows = []
    for name in study.ranked():
        if name not in study.verdicts:
            continue
        parts = [
            percent(over_seeds([getattr(verdict, part) for verdict in study.verdicts[name]]))
            for part in ("missing", "extra", "both")
        ]
        beside = ["", "", "", ""]
        if name in exact:
            measured, model = PUBLISHED[name]
            beside = [
                f"{100 * exact[name].missing:.0f}",
                f"{100 * exact[name].extra:.0f}",
                *(f"{a:g}, {b:g}" for a, b in (model, measured)),
            ]
        rows.append([name, *parts, *beside])
    return head, rows


def describers_block(rows: Sequence[Ranked], ordered: Ordered, notes: Sequence[str]) -> str:
    """Everything that the page says of describers."""
    taus = [
        [name, shown(tau)] for name, tau in sorted(ordered.items(), key=lambda item: -item[1].value)
    ]
    return "\n".join(
        [
            *_describers_table(rows, notes),
            "",
            "**Does a score order the describers as exact agreement does?** Kendall's tau with",
            f"kappa over these {len(rows)} rows, intervals over resampled expressions.",
            "",
            *markdown(["score", "tau"], taus),
        ]
    )


def _describers_table(rows: Sequence[Ranked], notes: Sequence[str] = ()) -> list[str]:
    first = rows[0]
    head = [
        *("describer", "exactly right %", "kappa", "iou", "correlation", "auprc"),
        *("described %", "not read %", "dead units without a text"),
    ]
    table = [
        [
            row.name.replace("|", "\\|"),
            percent(row.measures["exact"]),
            *(shown(row.measures[name]) for name in ("kappa", "agreement", *HEADLINE)),
            f"{100 * row.described / row.units:.0f}",
            f"{100 * row.unread / row.units:.0f}",
            f"{row.silent:.0f} of {row.dead}",
        ]
        for row in sorted(rows, key=_worst_last)
    ]
    return [
        f"{first.units} units. A unit without a readable text, and a score that is undefined,",
        "counts as 0. Means over units with 95 % intervals over resampled expressions.",
        *notes,
        "",
        *markdown(head, table),
    ]


def _worst_last(row: Ranked) -> tuple[bool, float]:
    """By kappa; lists that have a correlation only come last."""
    kappa = row.measures["kappa"].value
    return bool(np.isnan(kappa)), -kappa if np.isfinite(kappa) else 0.0


def run_block(run: Run, field: Field) -> str:
    """Everything that the page says of a run of the workflow."""
    bounds = [rank_one(name, said, field) for name, said in list(trivial(field).items())[:2]]
    lines = _describers_table([*run.ranked, *bounds])
    orders = {
        f"{what}, {judge}": find(run, judge, field)
        for what, find in (("describers", order_of_describers), ("texts", order_of_texts))
        for judge in run.scores
    }
    texts = int(np.isfinite(run.kappa).all(1).sum())  # lists have no exact agreement
    first = next(iter(orders.values()))
    ranked = sorted(first, key=lambda name: -sum(order[name].value for order in orders.values()))
    table = [[name, *(shown(order[name]) for order in orders.values())] for name in ranked]
    return "\n".join(
        [
            *lines,
            "",
            "**Does a score of the run order what was said as exact agreement does?** Kendall's",
            f"tau with kappa, by judge: over {texts} describers, and over",
            "the texts of a unit (mean over units). Intervals over resampled expressions.",
            "",
            *markdown(["score", *orders], table),
        ]
    )


def shown(value: Interval) -> str:
    """A value with its interval."""
    if np.isnan(value.value):
        return "–"
    if np.isnan(value.low):
        return f"{value.value:.3f}"
    return f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]"


def percent(value: Interval) -> str:
    """A share in percent with half its interval."""
    if np.isnan(value.value):
        return "–"
    half = 0 if np.isnan(value.low) else 100 * (value.high - value.low) / 2
    return f"{100 * value.value:.1f} ± {half:.1f}"


def markdown(head: Sequence[str], rows: Rows) -> list[str]:
    """A table in Markdown."""
    return [
        f"| {' | '.join(head)} |",
        f"|{'|'.join(['---'] * len(head))}|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def replaced(page: str, mark: str, block: str) -> str:
    """The page with another block between `<!-- mark -->` and `<!-- end of mark -->`.

    Raises:
        UserError: for a page without these marks.

    """
    pattern = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- end of {mark} -->)", re.DOTALL)
    if not pattern.search(page):
        raise UserError(
            f"the page has no lines <!-- {mark} --> and <!-- end of {mark} -->; add them where the "
            "tables go"
        )
    return pattern.sub(lambda found: f"{found[1]}{block}\n{found[2]}", page)
