"""Kinds of faults: each injects one into a copy of the small run and says what became of it."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from faults.mutators import FORMATS, raw
from faults.run import (
    Job,
    Outcome,
    SmallRun,
    content,
    execute,
    finish,
    limit_file_size,
    replace,
    start,
)  # fmt: skip
from milan_core.core.records import find_record, record_path, verify

OUTCOMES = ("noticed", "recovered", "equal", "lost", "wrong", "unclear")
MOUNTS = ("full_disk", "read_only")  # need a file system of their own
BAD = ("lost", "wrong", "unclear")
READERS = 3  # jobs that read a damaged file


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


def sizes(run: SmallRun, job: Job) -> int:
    """Bytes that a job writes."""
    paths = [run.folder / path for path in job.outputs]
    inside = [item for path in paths for item in ([path] if path.is_file() else path.rglob("*"))]
    return sum(item.stat().st_size for item in inside if item.is_file())


@fault
def file_limit(rng: random.Random, run: SmallRun, folder: Path) -> Round:
    """A limit on file sizes (`ulimit -f`), then the job again without it."""
    job = rng.choice(run.jobs)
    outputs_gone(job, folder)
    limit = max(1024, rng.randrange(sizes(run, job) + 1))  # the log's sentence has room
    outcome = execute(job, folder, limit_file_size(limit))
    return refused(run, job, folder, outcome, "file_limit", "limit on file sizes")


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


@contextlib.contextmanager
def disk(folder: Path, size: int) -> Iterator[None]:
    """A file system of `size` bytes in memory at `folder`."""
    options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    subprocess.run(["mount", *options], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def can_mount() -> bool:
    """Whether this process may mount file systems."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with disk(Path(folder), 1 << 20):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


def on_disk(run: SmallRun, job: Job, folder: Path) -> None:
    """Copy the run's files to a file system of its own, without the outputs of a job."""
    for top in ("results", "resources"):
        shutil.copytree(run.folder / top, folder / top)
    (folder / job.arguments[1]).parent.mkdir(parents=True)
    outputs_gone(job, folder)


@fault
def full_disk(rng: random.Random, run: SmallRun, folder: Path) -> Round:
    """A disk with less room than the job needs, then the job again with room."""
    job = rng.choice(run.jobs)
    room = folder / "disk"
    room.mkdir()
    with disk(room, 256 << 20):
        on_disk(run, job, room)
        free = os.statvfs(room)
        leave = rng.randrange(sizes(run, job) + 8192)
        with (room / "filler").open("wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, max(1, free.f_bavail * free.f_frsize - leave))
        outcome = execute(job, room)
        (room / "filler").unlink()
        return refused(run, job, room, outcome, "full_disk", "the disk is full")


@fault
def read_only(rng: random.Random, run: SmallRun, folder: Path) -> Round:
    """A read-only disk, then the job again on a writable one."""
    job = rng.choice(run.jobs)
    room, logs = folder / "disk", (folder / job.arguments[1]).parent
    room.mkdir()
    with disk(room, 256 << 20):
        on_disk(run, job, room)
        subprocess.run(["mount", "-o", "remount,ro", str(room)], check=True)
        logs.mkdir(parents=True, exist_ok=True)
        words = list(job.arguments)
        words[1] = str(folder / words[1])  # the log elsewhere, so that its sentence can be seen
        outcome = execute(Job(tuple(words), job.step), room)
        subprocess.run(["mount", "-o", "remount,rw", str(room)], check=True)
        return refused(run, job, room, outcome, "read_only", "read-only")


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


def damage(rng: random.Random, path: Path, how: str) -> bool:
    """Flip one bit of a file, cut it, or empty it; whether it has changed."""
    data = path.read_bytes()
    if not data:
        return False
    if how == "flip":
        changed = bytearray(data)
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        new = bytes(changed)
    else:
        new = data[: rng.randrange(len(data))] if how == "cut" else b""
    replace(path, new)
    return True


def pick(rng: random.Random, run: SmallRun) -> tuple[str, Path]:
    """A file of a kind that is drawn first, so that every kind is drawn equally often."""
    files = run.files()
    kind = rng.choice(sorted({kind for kind, _ in files}))
    return kind, rng.choice([path for name, path in files if name == kind])


def damaged(rng: random.Random, run: SmallRun, folder: Path, how: str) -> Round:
    """A damaged file of a random kind, and then the jobs that read it."""
    kind, path = pick(rng, run)
    return of_kind(rng, run, folder, how, kind, path)


def of_kind(
    rng: random.Random,
    run: SmallRun,
    folder: Path,
    how: str,
    kind: str,
    path: Path,
    readers: int = READERS,
) -> Round:
    """Damage one file; run what reads it, and `milan verify` where nothing does."""
    where = f"{kind} {path}"
    if not damage(rng, folder / path, how):
        return Round(how, where, "equal", "an empty file")
    jobs = run.consumers(path)
    if kind.endswith(".record"):
        made = [item for name, item in run.files() if record_path_of(run, item) == path]
        jobs = [job for item in made for job in run.consumers(item)]
    jobs = rng.sample(jobs, min(readers, len(jobs)))
    if not jobs:
        record = path if kind.endswith(".record") else record_path_of(run, path)
        _, problems = verify(folder / record.parent) if record else (0, [])
        seen = any(str(path.name) in problem for problem in problems)
        return Round(how, where, "noticed" if seen else "wrong", "milan verify")
    outcomes = [(job, execute(job, folder)) for job in jobs]
    for job, outcome in outcomes:
        if unclear(outcome):
            return Round(how, where, "unclear", f"{job.name}: {outcome.log[-300:]}")
    if all(outcome.code == 2 for _, outcome in outcomes):
        return Round(how, where, "noticed", outcomes[0][1].sentence)
    rest = [name for name in differences(run, folder) if Path(name) != path]
    return Round(how, where, "wrong" if rest else "equal", ", ".join(rest))


def record_path_of(run: SmallRun, path: Path) -> Path | None:
    """The record that lists a file."""
    written = find_record(run.folder / path)
    return written.path.relative_to(run.folder) if written else None


@fault
def flip(rng: random.Random, run: SmallRun, folder: Path) -> Round:
    """One bit."""
    return damaged(rng, run, folder, "flip")


@fault
def cut(rng: random.Random, run: SmallRun, folder: Path) -> Round:
    """The first part of a file."""
    return damaged(rng, run, folder, "cut")


@fault
def emptied(rng: random.Random, run: SmallRun, folder: Path) -> Round:
    """A file without bytes."""
    return damaged(rng, run, folder, "emptied")


SUFFIXES = {".json": "json", ".csv": "csv", ".npy": "npy", ".safetensors": "sealed"}


@fault
def hostile(rng: random.Random, run: SmallRun, folder: Path) -> Round:
    """A file that somebody made, without a record: it is read or refused, and nothing runs."""
    kind, path = pick(rng, run)
    record = record_path_of(run, path)
    mutate = FORMATS.get(SUFFIXES.get(path.suffix, ""), raw)
    target, where = folder / path, f"{kind} {path}"
    replace(target, mutate(rng, target.read_bytes()))
    if record is not None:
        (folder / record).unlink(missing_ok=True)
    jobs = run.consumers(path)
    for job in rng.sample(jobs, min(READERS, len(jobs))):
        outcome = execute(job, folder)
        if unclear(outcome):
            return Round("hostile", where, "unclear", f"{job.name}: {outcome.log[-500:]}")
        if list(folder.rglob("PWNED")):
            return Round("hostile", where, "wrong", "it ran a command")
        if outcome.code == 2:
            return Round("hostile", where, "noticed", outcome.sentence)
    return Round("hostile", where, "equal", "read as an edit of the user's")
