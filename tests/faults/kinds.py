"""A kind of fault: injects one into a copy of the small run and says what became of it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faults.run import Job, Outcome, SmallRun, content, execute
from milan_core.core.recording import record_path
from milan_core.core.records import verify

OUTCOMES = ("noticed", "recovered", "equal", "lost", "wrong", "unclear")
BAD = ("lost", "wrong", "unclear")


@dataclass(frozen=True)
class Round:
    """One injected fault: what, where, and its outcome with a reason."""

    fault: str
    where: str
    outcome: str
    reason: str = ""


Fault = Callable[[random.Random, SmallRun, Path], Round]
FAULTS: dict[str, Fault] = {}


def fault(run: Fault) -> Fault:
    """Declare a kind of fault by the name of its function."""
    FAULTS[run.__name__] = run
    return run


def outputs_gone(job: Job, folder: Path) -> None:
    """Remove a job's outputs, as Snakemake does before it runs one."""
    for path in (*job.outputs, record_path(job.step)):
        target = folder / path
        if target.is_dir():
            shutil.rmtree(target)
        target.unlink(missing_ok=True)


def left_behind(folder: Path) -> list[str]:
    """Temporaries, partial arrays and notes below a folder."""
    return [
        path.relative_to(folder).as_posix()
        for top in ("results", "resources")
        for path in (folder / top).rglob(".*")
        if not path.name.endswith(".lock")
    ]


def again(run: SmallRun, job: Job, folder: Path, fault: str) -> Round:
    """Run a disturbed job to its end and compare everything with the undisturbed run."""
    where = f"{job.name} {job.outputs[0]}"
    outcome = execute(job, folder)
    if outcome.code:
        return Round(fault, where, "lost", outcome.sentence or outcome.log[-300:])
    if differing := differences(run, folder):
        return Round(fault, where, "lost", f"differs: {', '.join(differing)}")
    if left := left_behind(folder):
        return Round(fault, where, "lost", f"left behind: {', '.join(left)}")
    _, problems = verify(folder / "results")
    return Round(fault, where, "lost" if problems else "recovered", "; ".join(problems))


def differences(run: SmallRun, folder: Path) -> list[str]:
    """Files that are not as in the undisturbed run."""
    found = content(folder)
    return sorted(
        name for name in {*found, *run.content} if found.get(name) != run.content.get(name)
    )


def halves(run: SmallRun, folder: Path) -> list[str]:
    """Files that have a name and neither the undisturbed bytes nor none."""
    found = content(folder)
    return [name for name, digest in found.items() if run.content.get(name) != digest]


def sizes(run: SmallRun, job: Job) -> int:
    """Bytes that a job writes."""
    paths = [run.folder / path for path in job.outputs]
    inside = [item for path in paths for item in ([path] if path.is_file() else path.rglob("*"))]
    return sum(item.stat().st_size for item in inside if item.is_file())


def unclear(outcome: Outcome) -> bool:
    """Whether a job ended neither well nor with a sentence."""
    return outcome.traceback or outcome.code not in (0, 2)


def refused(
    run: SmallRun, job: Job, folder: Path, outcome: Outcome, fault: str, words: str
) -> Round:
    """A job that could not write: one sentence, no half of a file, and then it succeeds."""
    where = f"{job.name} {job.outputs[0]}"
    if outcome.code and not outcome.sentence and not outcome.log:
        pass  # not even its log could be written; the code is all that is left
    elif (
        outcome.code not in (0, 2)
        or outcome.traceback
        or (outcome.code and words not in outcome.sentence.lower())
    ):
        return Round(fault, where, "unclear", f"{outcome.code}: {outcome.log[-300:]}")
    if half := halves(run, folder):
        return Round(fault, where, "lost", f"half a file: {', '.join(half)}")
    after = again(run, job, folder, fault)
    if after.outcome == "recovered" and outcome.code == 2:
        return Round(fault, where, "noticed", outcome.sentence)
    return after
