"""The overview page: units drawn at random, run facts and credits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from milan_core.core.numbers import percent
from milan_core.core.records import NAME, read_record
from milan_core.core.seeding import generator
from milan_core.images.fetch.asset_record import read_asset
from milan_core.report.files import ReportFiles
from milan_core.report.network import Network
from milan_core.report.units import UnitView

PICKS = 6


def overview(files: ReportFiles, shown: Sequence[Network]) -> dict[str, Any]:
    """Everything that `index.html` needs beside the networks themselves."""
    texts = [
        graded_sentence(network.name, network.units)
        or diversity_sentence(
            network.name, [unit.description for unit in network.units if not unit.silent]
        )
        for network in shown
    ]
    texts += [f"{network.name}: {network.silent}" for network in shown if network.silent]
    return {
        "picks": draw_units(shown),
        "sentences": [text for text in texts if text],
        **run_facts(files.records),
        "assets": [read_asset(path) for path in files.assets],
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
        (network, pool[picked[turn]])
        for turn in range(count)
        for network, pool, picked in zip(shown, pools, order, strict=True)
        if turn < len(pool)
    ]
    return sorted(picks[:count], key=lambda pick: shown.index(pick[0]))


def diversity_sentence(model: str, descriptions: Sequence[str]) -> str | None:
    """Count different descriptions, and give the share of the most frequent one."""
    if not descriptions:
        return None
    counts = Counter(descriptions)
    text, times = min(counts.items(), key=lambda item: (-item[1], item[0]))
    size = len(descriptions)
    sentence = f"{model}: {len(counts)} different descriptions for {size} units"
    if counts[""]:
        sentence += f"; for {counts['']} of them the captioner says nothing"
    if times > 1 and text:
        sentence += f"; the most frequent, “{text}”, is said of {percent(times / size)} of them"
    return sentence + "."


def graded_sentence(model: str, units: Sequence[UnitView]) -> str | None:
    """Count the described units of a describer that grades, and say what would describe more."""
    grades = Counter(unit.grade for unit in units if unit.grade)
    if not grades:
        return None
    total, texts = len(units), len({unit.description for unit in units if unit.description})
    return (
        f"{model}: {grades['A']} of {total} units ({percent(grades['A'] / total)}) are described, "
        f"with {texts} different texts; {grades['B']} more follow a word weakly, which their "
        f"entries say, and {total - grades['A'] - grades['B']} have no reliable description. More "
        "images describe more units, and so does an image-text encoder of your own "
        "(docs/photographs.md)."
    )


def run_facts(paths: Sequence[Path]) -> dict[str, Any]:
    """Time and memory per kind of step, seeds and versions, out of provenance records.

    A folder among `paths` holds its record inside.
    """
    records = [read_record(path / NAME if path.is_dir() else path) for path in paths]
    steps: dict[str, list[Mapping[str, Any]]] = {}
    versions: dict[str, set[str]] = {}
    for record in records:
        steps.setdefault(record["step"], []).append(record)
        for name, version in record["versions"].items():
            versions.setdefault(name, set()).add(version)
    seeds = {record["options"]["seed"] for record in records if "seed" in record["options"]}
    return {
        "steps": [
            {
                "name": name,
                "jobs": len(group),
                "wall": sum(record["wall_seconds"] for record in group),
                "cpu": sum(record["cpu_seconds"] for record in group),
                "memory": max(record["peak_memory_mb"] for record in group),
            }
            for name, group in steps.items()
        ],
        "seeds": ", ".join(map(str, sorted(seeds))),
        "versions": [(name, " and ".join(sorted(seen))) for name, seen in sorted(versions.items())],
    }
