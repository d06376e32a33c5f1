"""Facts of a run for its overview: time and memory by step, seeds, versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from milan_core.core.records import NAME, read_record


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
