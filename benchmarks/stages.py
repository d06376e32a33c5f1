"""Time and memory of the stages of a finished run, from its records, beside what the rules ask for.

    python -m benchmarks.stages results resources

A row a step: jobs, CPU-seconds of all and of the largest, peak memory of the largest, gigabytes
that its rule asks for in the first attempt. Memory is the peak of the job's process as the system
counts it, which begins with that of the Snakemake that started it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from milan_core.core.records import read_record

RULES = Path(__file__).parents[1] / "workflow/rules"
HEADER = "| step | jobs | CPU-s, all (largest job) | peak memory | asked for |"


class Stage(NamedTuple):
    """The jobs of one step."""

    name: str
    jobs: int
    total: float  # CPU-seconds
    longest: float
    peak: float  # MB


def asked() -> dict[str, int]:
    """Gigabytes that the rule of each step asks for."""
    found = {}
    for path in RULES.glob("*.smk"):
        for body in re.split(r"^rule ", path.read_text(), flags=re.MULTILINE):
            step = re.search(r'command\("([\w.]+)"\)', body)
            memory = re.search(r"\bmem=memory\((\d+)\)", body)
            if step and memory:
                found[step.group(1)] = int(memory.group(1))
    return found


def stages(folders: Sequence[Path]) -> Iterator[Stage]:
    """The steps whose records lie below `folders`, the most CPU time first."""
    times: dict[str, list[tuple[float, float]]] = {}
    for folder in folders:
        for path in folder.rglob("*provenance.json"):
            record = read_record(path)
            facts = record["cpu_seconds"], record["peak_memory_mb"]
            times.setdefault(record["step"], []).append(facts)
    rows = [
        Stage(name, len(jobs), sum(cpu for cpu, _ in jobs), *map(max, zip(*jobs, strict=True)))
        for name, jobs in times.items()
    ]
    yield from sorted(rows, key=lambda row: -row.total)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, help="results and resources of a run")
    given, memory = parser.parse_args(), asked()
    print(HEADER, "|---|---|---|---|---|", sep="\n")
    for row in stages(given.folders):
        if row.name in memory:
            cpu = f"{row.total:,.1f} ({row.longest:,.1f})"
            peak = f"{row.peak:,.0f} MB"
            print(f"| `{row.name}` | {row.jobs} | {cpu} | {peak} | {memory[row.name]} GB |")


if __name__ == "__main__":
    main()
