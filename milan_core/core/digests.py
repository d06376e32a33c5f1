"""One short digest a step of a run, so that two machines can be compared by eye.

Each digest is over the names and SHA-256 digests of what a step's jobs have written, as recorded.
Files that hold times differ in every run and are left out; a step declares them (`Step.timed`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from milan_core.core.errors import UserError
from milan_core.core.files import text_hash
from milan_core.core.records import read_record, records_below
from milan_core.core.step import Step, all_steps

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
    steps = all_steps()
    for folder in folders:
        for path in records_below(folder):
            record = read_record(path)
            step = record["step"]
            holds_times = steps.get(step, Step).holds_times
            jobs[step] += 1
            where = path.parent.relative_to(folder).as_posix()
            lines[step] += [
                f"{where}/{name} {written['sha256']}"
                for name, written in record["outputs"].items()
                if not holds_times(Path(name).name)
            ]
    if not jobs:
        given = ", ".join(map(str, folders))
        raise UserError(f"no record of a step below {given}; give the folders of a run")
    return [
        StageDigest(
            step, jobs[step], len(lines[step]), text_hash("\n".join(sorted(lines[step])), DIGITS)
        )
        for step in sorted(lines)
        if lines[step]
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
