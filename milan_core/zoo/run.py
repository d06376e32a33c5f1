"""Describers and scores of a run of the workflow on the zoo, against exact truth.

    run = read_run(Path("results/zoo"), "zoo_network", field)
    run.ranked                      # every describer, as `rank.rank_one` ranks it
    run.scores["mini"]["auprc"]     # float64 [describers, units], as the run's judge scored them

The run is that of config/zoo.yaml; `scores.csv` of each judge holds every text and its scores.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau

from milan_core.core.errors import UserError, reading
from milan_core.core.files import read_csv
from milan_core.core.numbers import number
from milan_core.core.units import UnitKey
from milan_core.experiments.baselines.names import method_texts
from milan_core.referee.metrics import METRICS
from milan_core.referee.resampling import Interval
from milan_core.referee.said import TRUTH
from milan_core.referee.scored import Explanation
from milan_core.referee.section import TRIVIAL_NAMES
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.units import unit_key
from milan_core.zoo.rank import Field, Ranked, Said, order_agreement, rank_one

NAMES = {**TRIVIAL_NAMES, TRUTH: "concept under the masks, as annotators name it", "milan": "MILAN"}
OWN = "own judge"  # status of texts by a describer that reads the judge
UNSCORED = ("dead", "abstained", "failed", "unread", "missing", "unknown unit")


@dataclass(frozen=True)
class Run:
    """The descriptions of the zoo's units by a run, and their scores by its judges.

    Attributes:
        ranked: one each describer, in the order of the tables.
        scores: float64 [describers, units] by judge and score; 0 where a text has none, NaN where
            the judge does not score the describer.
        kappa: float64 [describers, units], exact agreement; 0 where there is no readable text, NaN
            of weighted lists.
        texts: by describer, one a unit; empty where it abstained.

    """

    ranked: list[Ranked]
    scores: dict[str, dict[str, np.ndarray]]
    kappa: np.ndarray
    texts: list[list[str]]


def read_run(folder: Path, network: str, field: Field) -> Run:
    """Read every describer of a network from the scores of each judge.

    Raises:
        UserError: for a folder without scores, and scores of another network.

    """
    tables = sorted((folder / network / "referee").glob("*/scores.csv"))
    if not tables:
        raise UserError(
            f"--run: {folder / network / 'referee'} holds no scores (JUDGE/scores.csv); give the "
            "results of `snakemake --configfile config/zoo.yaml`, and the network by --network"
        )
    by_judge = {path.parent.name: _table(path) for path in tables}
    every: Rows = {}
    for table in by_judge.values():  # a describer that reads a judge is not scored by it
        for name, rows in table.items():
            every.setdefault(name, rows)
    keys = [unit.key for unit in field.units]
    known = {key for rows in every.values() for key in rows}
    if absent := [key for key in keys if key not in known]:
        raise UserError(
            f"--run: {tables[0]} has no unit {absent[0]}, which every zoo has; give the scores of "
            "the zoo's network by --network"
        )
    labels = {**method_texts(), **NAMES}
    said: dict[str, Said] = {
        name: {key: _explanation(key, row) for key, row in texts.items()}
        for name, texts in every.items()
    }
    said = _distinct(said, keys)
    ranked = [
        rank_one(labels.get(name, name.replace("_", " ")), texts, field)
        for name, texts in said.items()
    ]
    with reading(folder / network / "referee", "tables of scores"):
        scores = {judge: _values(table, list(said), keys) for judge, table in by_judge.items()}
    silent = Explanation(keys[0])
    texts = [[one.get(key, silent).description for key in keys] for one in said.values()]
    kappa = [
        np.where(np.isnan(row.measures["kappa"].value), np.nan, row.values["kappa"])
        for row in ranked
    ]
    return Run(ranked, scores, np.stack(kappa), texts)


Rows = dict[str, dict[UnitKey, dict[str, str]]]


def _table(path: Path) -> Rows:
    """Rows of scores.csv by describer and unit."""
    found: Rows = {}
    for row in read_csv(path, ("describer", "layer", "unit", "description", "status")):
        found.setdefault(row["describer"], {})[unit_key(row, path)] = row
    return found


def _distinct(said: Mapping[str, Said], keys: Sequence[UnitKey]) -> dict[str, Said]:
    """Without describers that say of every scored unit what an earlier one says."""
    found: dict[str, Said] = {}
    for name, texts in said.items():
        if all(any(one.get(key) != texts.get(key) for key in keys) for one in found.values()):
            found[name] = texts
    return found


_WEIGHTED = re.compile(r"([+-]\d[\d.]*(?:e[+-]?\d+)?) (.+)")


def _explanation(key: UnitKey, row: Mapping[str, str]) -> Explanation:
    """A text, or the weighted texts that `Explanation.description` wrote as one."""
    text = row["description"].strip()
    items = [_WEIGHTED.fullmatch(part) for part in text.split("; ")]
    if not all(items):
        return Explanation(key, (text,) if text else ())
    found = [item for item in items if item]
    return Explanation(
        key, tuple(item[2] for item in found), tuple(float(item[1]) for item in found)
    )


def _values(table: Rows, names: Sequence[str], keys: Sequence[UnitKey]) -> dict[str, np.ndarray]:
    """Scores float64 [names, keys] by name of the score."""
    return {
        score: np.array([[_value(table, name, key, score) for key in keys] for name in names])
        for score in METRICS
    }


def _value(table: Rows, name: str, key: UnitKey, score: str) -> float:
    """A score of one text; 0 where there is none, NaN where the judge is its describer's own."""
    row = table.get(name, {}).get(key)
    if name not in table or (row is not None and row["status"] == OWN):
        return float("nan")
    if row is None or row["status"] in UNSCORED or not row.get(score):
        return 0.0
    return number(row[score])


def order_of_describers(run: Run, judge: str, field: Field) -> dict[str, Interval]:
    """Kendall's tau of each score of a judge with kappa over describers; see `order_agreement`."""
    able = _scored(run, judge)
    scores = {score: values[able] for score, values in run.scores[judge].items()}
    return order_agreement(run.kappa[able], scores, field)


def _scored(run: Run, judge: str) -> np.ndarray:
    """Describers of texts that a judge scores, not being their own: bool [describers]."""
    values = next(iter(run.scores[judge].values()))
    return np.asarray(np.isfinite(values + run.kappa).all(1))


def order_of_texts(run: Run, judge: str, field: Field) -> dict[str, Interval]:
    """Whether each score orders what was said of a unit as exact agreement does.

    Mean over units of Kendall's tau-b over the distinct texts of a unit; intervals over resampled
    expressions. A unit about which all texts are equally right does not count.
    """
    boot = Bootstrap(seed=0, resamples=field.options.resamples)
    found, able = {}, np.flatnonzero(_scored(run, judge))
    said = np.array(run.texts)[able]
    for score, values in run.scores[judge].items():
        taus = np.array(
            [
                _tau(values[able, unit], run.kappa[able, unit], said[:, unit].tolist())
                for unit in range(values.shape[1])
            ]
        )
        counts = np.isfinite(taus)
        low, high = boot.interval(taus[counts], "zoo", clusters=field.clusters[counts])
        found[score] = Interval(float(taus[counts].mean()), low, high)
    return found


def _tau(scores: np.ndarray, kappa: np.ndarray, texts: Sequence[str]) -> float:
    """Tau over distinct texts; 0 for a score that tells none apart, NaN without an order."""
    distinct = sorted({text: place for place, text in enumerate(texts) if text}.values())
    truth = np.round(kappa[distinct], 9)
    if len(set(truth.tolist())) < 2:
        return float("nan")
    tau = kendalltau(np.round(scores[distinct], 9), truth).statistic
    return 0.0 if np.isnan(tau) else float(tau)
