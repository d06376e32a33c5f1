"""Decoding strategies compared: strategy x lambda x beam size (specification 1.3).

All strategies describe the same units with the same captioner. Cost is measured, so it goes to a
file of its own; all else is the same for every run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from milan_core.core.files import write_csv
from milan_core.core.seeding import generator
from milan_core.experiments.generalization.score import encoder_folder, read_training
from milan_core.scoring.bertscore import BertScorer
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.metrics import WordInformation
from milan_core.scoring.pmi import AGREEMENT, DIVERSITY
from milan_core.scoring.scores import ACCURACY, BERT_F, Measured, Scorer, cell
from milan_core.scoring.units import read_material

INTERVALS = ("low", "high", "gain", "gain_low", "gain_high")
# The figure that judges on one half of the units, to choose a row on, and on the other, to report.
HALVES = ("half", "other", "other_gain", "other_gain_low", "other_gain_high")
COLUMNS = (
    "model",
    "strategy",
    "beams",
    "lambda",
    "judged_by",
    ACCURACY,
    *INTERVALS,
    *HALVES,
    *AGREEMENT,
    *DIVERSITY,
    "n",
)
TIMING = ("model", "strategy", "beams", "units", "cpu_seconds", "cpu_ms_per_unit")


class StudyFiles(Protocol):
    """What `measure` reads: one captioner, the features of one network, and its references.

    `truth` is empty for an annotation set, whose concepts nobody knows.
    """

    model: str
    captioner: Path
    features: Path
    annotations: Path
    truth: Sequence[Path]
    units: Path
    learnt: Sequence[Path]
    bertscore: Sequence[Path]
    options: dict[str, Any]
    seed: int
    device: str
    out: Path


@dataclass(frozen=True)
class Trial:
    """Descriptions by one strategy: `rounds` of one text per unit."""

    strategy: str
    beams: int
    weight: float
    rounds: list[list[str]]


class _Decoding:
    """A captioner, the features it describes, and what each search cost."""

    def __init__(self, captioner: Any, features: np.ndarray, options: dict[str, Any]) -> None:
        self._captioner, self._features = captioner, features
        self._length = options["length"]
        self.has_prior = captioner.language_model is not None
        self.costs: list[tuple[str, int, float]] = []

    def run(self, name: str, strategy: str, beams: int = 1, **more: Any) -> Any:
        """`Captioner.decode`, its CPU time noted."""
        start = time.process_time()
        found = self._captioner.decode(
            self._features,
            strategy,
            beam_size=beams,
            length=self._length,
            clamp_beam=True,
            **more,
        )
        self.costs.append((name, beams, time.process_time() - start))
        return found


def measure(files: StudyFiles) -> None:
    """Write the rows of one network to `files.out`, and `timing.csv` beside it."""
    from milan_core.captioner.checkpoint import load_captioner
    from milan_core.captioner.features.store import load_features
    from milan_core.captioner.reading import check_encoder

    captioner = load_captioner(files.captioner.parent).to(files.device)
    table = load_features(files.features)
    check_encoder(captioner, table, files.captioner.parent, files.features)
    keys = list(table.rows)
    material = read_material(files.annotations, files.truth, keys)
    options = files.options
    bert = None
    if files.bertscore:
        bert = BertScorer(encoder_folder(files.bertscore[0]), options["bertscore_layer"])
    captions = read_training(files.units, files.learnt).captions
    scorer = Scorer(material, WordInformation(captions), bert)
    decoding = _Decoding(captioner, table.arrays["exact"], options)
    bootstrap = Bootstrap(files.seed, options["bootstrap"])
    rows, greedy = [], None
    for trial in trials(decoding, options, files.seed):
        found = scorer.measure(trial.rounds)
        greedy = greedy or found
        row: dict[str, Any] = {
            "strategy": trial.strategy,
            "beams": trial.beams,
            "lambda": float(trial.weight),
            **measured_row(found, greedy, bootstrap),
        }
        rows.append([files.model, *(cell(row[name]) for name in COLUMNS[1:])])
    write_csv(files.out, COLUMNS, rows)
    count = len(keys)
    costs = [
        (files.model, name, beams, count, round(cost, 3), round(1000 * cost / count, 3))
        for name, beams, cost in decoding.costs
    ]
    write_csv(files.out.with_name("timing.csv"), TIMING, costs)


def trials(decoding: Any, options: dict[str, Any], seed: int) -> Iterator[Trial]:
    """The strategies, greedy first: the others' gains are over it. Those with p(d) need p(d)."""
    plain = {"mi": False}
    yield Trial("greedy", 1, 0.0, [decoding.run("greedy", "greedy", **plain).captions])
    draws = [
        decoding.run("sample", "sample", seed=seed + draw, **plain).captions
        for draw in range(options["samples"])
    ]
    yield Trial("sample", 1, 0.0, draws)
    token_lambdas = options["token_lambdas"] if decoding.has_prior else []
    for weight in token_lambdas:
        found = decoding.run("greedy-mi", "greedy", mi=True, temperature=weight)
        yield Trial("greedy-mi", 1, weight, [found.captions])
    for weight in token_lambdas:
        width = options["token_beam"]
        found = decoding.run("beam-mi", "beam", width, mi=True, temperature=weight)
        yield Trial("beam-mi", width, weight, [found.captions])
    if not decoding.has_prior:
        for width in options["beams"]:
            yield Trial("beam", width, 0.0, [decoding.run("beam", "beam", width).captions])
        return
    searches = {width: decoding.run("rerank", "rerank", width) for width in options["beams"]}
    for width, found in searches.items():
        yield from _reranked(found, width, options["lambdas"])
    if options.get("prefixes"):
        widest = max(searches)
        for width in sorted(set(searches) - {widest}):
            yield from _reranked(searches[widest], width, options["lambdas"], "-of-widest")


def _reranked(found: Any, width: int, lambdas: Sequence[float], name: str = "") -> Iterator[Trial]:
    """The first `width` beams of a search, re-ranked with every lambda; 0 is the search itself.

    `name` is added to the strategy where the search was wider.
    """
    from milan_core.captioner.rerank import sweep

    chosen = sweep(found.beam_logp[:, :width], found.beam_logp_lm[:, :width], lambdas)
    for weight, best in chosen.items():
        texts = [beam[index] for beam, index in zip(found.beam_captions, best, strict=True)]
        yield Trial(("rerank" if weight else "beam") + name, width, weight, [texts])


def first_half(judged: np.ndarray, seed: int) -> np.ndarray:
    """A random half of the judged units: bool [units], the same for every strategy."""
    rows = np.flatnonzero(judged)
    chosen = np.zeros(len(judged), bool)
    chosen[generator(seed, "half of the units").permutation(rows)[: len(rows) // 2]] = True
    return chosen


def measured_row(found: Measured, base: Measured, bootstrap: Bootstrap) -> dict[str, Any]:
    """Accuracy, agreement and diversity, and how far it is above `base` on the same units.

    Interval and gain are those of `judged_by`: concept accuracy, or BERTScore F where no concept
    is known; without either there is none. The figure is also given for two halves of the units:
    who looks for the best of many rows finds one that is lucky on these units, which only other
    units can tell.
    """
    metric = next((name for name in (ACCURACY, BERT_F) if name in found.units), "")
    own, theirs = (m.units.get(metric, np.empty(0)) for m in (found, base))
    judged = ~np.isnan(own)
    interval = (*bootstrap.interval(own, metric), *bootstrap.paired(own, theirs, metric))
    half = first_half(judged, bootstrap.seed)
    other = ~half & judged
    gain = bootstrap.paired(own[other], theirs[other], metric, "other half")
    halves = (_mean(own[half]), _mean(own[other]), *gain)
    values = found.corpus | {name: _mean(v[~np.isnan(v)]) for name, v in found.units.items()}
    return {
        "judged_by": metric,
        **dict(zip(INTERVALS, interval, strict=True)),
        **dict(zip(HALVES, halves, strict=True)),
        **{name: values.get(name, math.nan) for name in (ACCURACY, *AGREEMENT, *DIVERSITY)},
        "n": int(judged.sum()) if metric else math.nan,
    }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else math.nan
