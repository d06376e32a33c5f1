"""Tables of the editing: all networks side by side, and means over groups of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from milan_core.core.errors import UserError, reads
from milan_core.core.files import read_json
from milan_core.core.numbers import added, number
from milan_core.experiments.edit import orders
from milan_core.experiments.edit.results import ADVERSARIAL, BEFORE, CORRECT, TESTS
from milan_core.scoring.proportions import mean_interval, mean_test
from milan_core.scoring.verdicts import holm

FORMAT = 2
CURVES = ("condition", "trial", "n_ablated", "split", "accuracy", "model")
SUMMARY = (
    "model", "condition", "n", *(column for split in TESTS for column in (
        split, f"{split}-low", f"{split}-high", f"{split}-gain", f"{split}-gain-low",
        f"{split}-gain-high")),
)  # fmt: skip
MEAN = "mean over networks"
Result = Mapping[str, Any]


@reads("an editing result", "run its edit again")
def read_result(path: Path) -> dict[str, Any]:
    """The result.json of one network; refuses another format."""
    record = read_json(path, "editing result")
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise UserError(f"{path}: not an editing result of format {FORMAT}; run its edit again")
    cells = [cell for row in _rows(record) for cell in row[3:]]
    named = isinstance(record["model"], str) and isinstance(record.get("group", ""), str)
    if not named or not all(cell == "" or isinstance(cell, int | float) for cell in cells):
        raise TypeError("its accuracies are not numbers")
    over_networks([record])
    return record


def summarize(results: Sequence[Result]) -> dict[str, Any]:
    """The results of all networks, and means over those of each group of several."""
    over = {name: over_networks(group) for name, group in _several(results).items()}
    return {"format": FORMAT, "networks": list(results), "over_networks": over}


def summary_rows(results: Sequence[Result]) -> list[list[object]]:
    """Rows of summary.csv: every network, then the means over each group of several."""
    rows = [row for result in results for row in _rows(result)]
    for name, group in _several(results).items():
        rows += _mean_rows(f"{MEAN} of {name}" if name else MEAN, group)
    return rows


def _several(results: Sequence[Result]) -> dict[str, list[Result]]:
    return {name: group for name, group in groups(results).items() if len(group) > 1}


def groups(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Results of the networks that differ by seeds alone, by the name of their group ("": none)."""
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.get("group", ""), []).append(result)
    return found


def _rows(result: Result) -> list[list[object]]:
    """One row of summary.csv for the network as it is, and one per condition."""
    row: list[object] = [result["model"], BEFORE, 0]
    for split in TESTS:
        row += [*_three(result["before"][split]), "", "", ""]
    rows = [row]
    for name in common_conditions([result]):
        condition = result["conditions"][name]
        row = [result["model"], name, condition["n"]]
        for split in TESTS:
            row += [*_three(condition["after"][split]), *_three(condition["gain"][split])]
        rows.append(row)
    return rows


def _three(value: Mapping[str, float]) -> tuple[float, float, float]:
    return value["value"], value["low"], value["high"]


def _mean_rows(label: str, results: Sequence[Result]) -> list[list[object]]:
    """Means over the networks of a group with Student's intervals over networks."""
    row: list[object] = [label, BEFORE, ""]
    for split in TESTS:
        row += [*_over([r["before"][split]["value"] for r in results]), "", "", ""]
    rows = [row]
    for name in common_conditions(results):
        row = [label, name, _mean([r["conditions"][name]["n"] for r in results])]
        for split in TESTS:
            for what in ("after", "gain"):
                row += _over([r["conditions"][name][what][split]["value"] for r in results])
        rows.append(row)
    return rows


def _over(values: Sequence[float]) -> list[object]:
    mean, low, high = mean_interval(values)
    return [mean, *("" if end != end else end for end in (low, high))]


def _mean(values: Sequence[float]) -> float:
    return added(values) / len(values)


def common_conditions(results: Sequence[Result]) -> list[str]:
    """Conditions that every network has, in their order."""
    return [
        name
        for name in orders.CONDITIONS
        if all(name in result["conditions"] for result in results)
    ]


def over_networks(results: Sequence[Result]) -> dict[str, Any]:
    """Gains per condition, and lead of the text units, each mean, low, high over networks.

    Leads have p of Student's t over networks, and that adjusted over the conditions (Holm).
    """
    rows = {}
    for name in common_conditions(results):
        entry: dict[str, Any] = {
            what: _named(
                mean_interval([r["conditions"][name]["gain"][split]["value"] for r in results])
            )
            for what, split in (("gain", ADVERSARIAL), ("price", CORRECT))
        }
        if name != orders.TEXT:
            leads = [r["text_less"][name]["value"] for r in results]
            entry["text_less"] = _named(mean_interval(leads)) | {"p": mean_test(leads)}
        rows[name] = entry
    leads_of = {name: entry["text_less"] for name, entry in rows.items() if name != orders.TEXT}
    adjusted = holm([number(lead["p"]) for lead in leads_of.values()])
    for lead, p in zip(leads_of.values(), adjusted, strict=True):
        lead |= {"p": None if lead["p"] != lead["p"] else lead["p"], "holm": None if p != p else p}
    return rows


def _named(three: tuple[float, float, float]) -> dict[str, float | None]:
    return {
        key: None if value != value else value
        for key, value in zip(("value", "low", "high"), three, strict=True)
    }
