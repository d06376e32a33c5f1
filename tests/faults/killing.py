"""Faults of processes: kill -9 at random moments, and the same job twice at once."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from faults.kinds import Round, again, differences, fault, halves, outputs_gone
from faults.run import SmallRun, finish, start


@fault
def killed(rng: random.Random, run: SmallRun, folder: Path) -> Round:
    """kill -9 at a random moment of a job, then the job again."""
    job = rng.choice(run.jobs)
    if rng.random() < 0.5:
        outputs_gone(job, folder)
    child = start(job, folder)
    time.sleep(rng.random() * run.seconds[job])
    os.kill(child, signal.SIGKILL)
    finish(job, folder, child)
    if half := halves(run, folder):
        return Round("killed", job.name, "lost", f"half a file: {', '.join(half)}")
    return again(run, job, folder, "killed")


@fault
def killed_twice(rng: random.Random, run: SmallRun, folder: Path) -> Round:
    """kill -9 at two random moments, the second in the resumed job."""
    job = rng.choice([job for job in run.jobs if job.name.endswith((".train", ".scan", ".build"))])
    outputs_gone(job, folder)
    for _ in range(2):
        child = start(job, folder)
        time.sleep(rng.random() * run.seconds[job])
        os.kill(child, signal.SIGKILL)
        finish(job, folder, child)
    return again(run, job, folder, "killed_twice")


@fault
def two_at_once(rng: random.Random, run: SmallRun, folder: Path) -> Round:
    """The same job started twice, the second at a random moment of the first."""
    job = rng.choice(run.jobs)
    outputs_gone(job, folder)
    first = start(job, folder)
    time.sleep(rng.random() * run.seconds[job])
    second = start(job, folder)
    ends = [finish(job, folder, child) for child in (first, second)]
    for outcome in ends:
        if outcome.code not in (0, 2) or outcome.traceback:
            return Round(
                "two_at_once", job.name, "unclear", f"{outcome.code}: {outcome.log[-400:]}"
            )
    if all(outcome.code for outcome in ends):
        return Round("two_at_once", job.name, "lost", f"neither: {ends[0].sentence}")
    if differing := differences(run, folder):
        return Round("two_at_once", job.name, "lost", f"differs: {', '.join(differing)}")
    return again(run, job, folder, "two_at_once")
