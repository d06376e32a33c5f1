"""One short digest a step of a run, so that two machines can be compared by eye.

Each digest is over the names and SHA-256 digests of what a step's jobs have written, as recorded.
Files that hold times differ in every run and are left out, and so are pages, which show times.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from milan_core.core.errors import UserError
from milan_core.core.files import text_hash
from milan_core.core.records import NAME, read_record

TIMED = {
    "networks.train": {"training.csv"},
    "decoding.measure": {"timing.csv"},
    "decoding.table": {"timing.csv", "study.svg", "section.json"},
    "report.pages": None,
    "atlas.build": None,
}
"""Outputs that hold times, by step; None: all of them."""
DIGITS = 12


class StageDigest(NamedTuple):
    """The outputs of one step's jobs, in one digest."""

    step: str
    jobs: int
    files: int
    digest: str  # `DIGITS` hexadecimal digits


def stage_digests(folders: Iterable[Path]) -> list[StageDigest]:
    """One digest for every step whose records lie below `folders`, by name of the step.

    Raises:
        UserError: for a damaged record, or where there is none.

    """
    lines: dict[str, list[str]] = defaultdict(list)
    jobs: dict[str, int] = defaultdict(int)
    for folder in folders:
        for path in sorted(folder.rglob(f"*{NAME}")):
            record = read_record(path)
            step, timed = record["step"], TIMED.get(record["step"], set())
            if timed is None:
                continue
            jobs[step] += 1
            where = path.parent.relative_to(folder).as_posix()
            for name, written in record["outputs"].items():
                if Path(name).name not in timed:
                    lines[step].append(f"{where}/{name} {written['sha256']}")
    if not jobs:
        given = ", ".join(map(str, folders))
        raise UserError(f"no record of a step below {given}; give the folders of a run")
    return [
        StageDigest(
            step, jobs[step], len(lines[step]), text_hash("\n".join(sorted(lines[step])), DIGITS)
        )
        for step in sorted(jobs)
    ]


def digest_table(digests: Iterable[StageDigest]) -> str:
    """Lines of step, jobs, files and digest."""
    head = f"{'step':<26}{'jobs':>5}{'files':>7}  digest"
    rows = [f"{one.step:<26}{one.jobs:>5}{one.files:>7}  {one.digest}" for one in digests]
    return "\n".join([head, *rows])


def run_digests(roots: Iterable[str]) -> str:
    """The table of a run's folders, as its end prints it; a sentence where there is none."""
    folders = [Path(root) for root in roots if Path(root).is_dir()]
    try:
        return digest_table(stage_digests(folders))
    except UserError as error:
        return str(error)
