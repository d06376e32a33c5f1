"""What the overview page shows: tables, figures, generated sentences, run facts and credits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from milan_core.core.files import read_json
from milan_core.core.seeding import generator
from milan_core.report import wording
from milan_core.report.drawings import inline_svg
from milan_core.report.network import Network
from milan_core.report.results import (
    METHOD_NAMES,
    SHOWN,
    Table,
    baselines_table,
    generalization_table,
    lambda_rows,
)
from milan_core.report.units import UnitView

PICKS = 6


def overview(run: Mapping[str, Any], shown: Sequence[Network]) -> dict[str, Any]:
    """Everything that `index.html` needs beside the networks themselves."""
    tables = run.get("tables", {})
    baselines = baselines_table(tables.get("baselines"))
    general = generalization_table(tables.get("generalization"))
    lambdas = lambda_rows(tables.get("lambda"))
    figures = run.get("figures", {})
    return {
        "picks": draw_units(shown),
        "sentences": sentences(run, shown, baselines, general, lambdas),
        "held_out": wording.HELD_OUT in general.values(0),
        "scores": score_blocks(baselines),
        "generalization": generalization_rows(general),
        "lambdas": lambdas,
        "accuracy_svg": inline_svg(figures.get("accuracy"), "accuracy"),
        "lambda_svg": inline_svg(figures.get("lambda"), "lambda"),
        **run_facts(run.get("provenance", [])),
        "assets": [read_json(path, "asset record") for path in run.get("assets", [])],
    }


def draw_units(shown: Sequence[Network], count: int = PICKS) -> list[tuple[Network, UnitView]]:
    """`count` units over all networks, drawn with a fixed seed from those that activate at all."""
    pools = [
        [unit for unit in network.units if unit.anchor not in network.idle] for network in shown
    ]
    order = [
        generator(0, "report", n.name).permutation(len(p))
        for n, p in zip(shown, pools, strict=True)
    ]
    picks = [
        (network, pool[places[turn]])
        for turn in range(count)
        for network, pool, places in zip(shown, pools, order, strict=True)
        if turn < len(pool)
    ]
    return sorted(picks[:count], key=lambda pick: shown.index(pick[0]))


def sentences(
    run: Mapping[str, Any],
    shown: Sequence[Network],
    baselines: Table,
    general: Table,
    lambdas: Mapping[str, Sequence[Mapping[str, float]]],
) -> list[str]:
    """The generated reading of the tables."""
    models = baselines.values(0)
    held_out = wording.HELD_OUT in general.values(0)
    found = [wording.accuracy_sentence(model, baselines, held_out) for model in models]
    found += [
        wording.diversity_sentence(network.name, [unit.description for unit in network.units])
        for network in shown
    ]
    found.append(wording.mask_sentence(models, baselines))
    found += [
        wording.lambda_sentence(split, rows, run.get("lambda", 0.2))
        for split, rows in lambdas.items()
        if _held_out(split) or not any(map(_held_out, lambdas))
    ]
    found.append(wording.within_sentence(models, general))
    probes = {name: str(run["models"][name]["dataset"]) for name in models if name in run["models"]}
    found.append(wording.probe_sentence(probes) if held_out else None)
    found.append(wording.bert_sentence(models, baselines))
    found.append(wording.ceiling_sentence(models, baselines))
    return [text for text in found if text]


def _held_out(split: str) -> bool:
    return split.startswith("without_")


def score_blocks(table: Table) -> list[dict[str, Any]]:
    """Per network one row of figures per method, in the order of `METHOD_NAMES`."""
    order = list(METHOD_NAMES)
    methods = sorted(
        table.values(1), key=lambda name: order.index(name) if name in order else len(order)
    )
    blocks = []
    for model in table.values(0):
        rows = [(name, [table.get(model, name, metric) for metric in SHOWN]) for name in methods]
        known = [(name, figures) for name, figures in rows if any(f.known for f in figures)]
        blocks.append({"model": model, "rows": known})
    return blocks


def generalization_rows(table: Table) -> list[dict[str, Any]]:
    """One row per experiment and pair of networks."""
    rows = []
    for experiment in table.values(0):
        for test in table.values(2):
            for train in table.values(1):
                figures = [table.get(experiment, train, test, metric) for metric in SHOWN[:4]]
                if any(figure.known for figure in figures):
                    trials = max(figure.trials for figure in figures if figure.known)
                    facts = {"experiment": experiment, "train": train, "test": test}
                    rows.append({**facts, "trials": trials, "figures": figures})
    return rows


def run_facts(paths: Sequence[Path]) -> dict[str, Any]:
    """Time and memory per kind of step, seeds and versions, out of provenance files."""
    records = [read_json(path, "provenance") for path in paths]
    steps: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        steps.setdefault(str(record.get("step", "unnamed")), []).append(record)

    def total(group: Sequence[Mapping[str, Any]], key: str) -> float:
        return float(sum(record.get(key) or 0 for record in group))

    versions: dict[str, set[str]] = {}
    for record in records:
        for name, version in (record.get("versions") or {}).items():
            versions.setdefault(name, set()).add(str(version))
    seeds = sorted({record["seed"] for record in records if record.get("seed") is not None})
    return {
        "steps": [
            {
                "name": name,
                "jobs": len(group),
                "wall": total(group, "wall_seconds"),
                "cpu": total(group, "cpu_seconds"),
                "memory": max(float(record.get("peak_memory_mb") or 0) for record in group),
            }
            for name, group in steps.items()
        ],
        "seeds": ", ".join(map(str, seeds)),
        "versions": [
            (name, " and ".join(sorted(found))) for name, found in sorted(versions.items())
        ],
    }
