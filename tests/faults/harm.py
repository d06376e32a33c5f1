"""Faults of files: a bit, a cut, no bytes, hostile contents; then what reads the file."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from faults.contents import variants
from faults.kinds import Round, differences, fault, unclear
from faults.mutators import FORMATS, raw
from faults.run import Job, SmallRun, execute, replace
from faults.sealing import record_path_of, seal
from milan_core.core.records import verify

READERS = 3  # jobs that read a damaged file


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
        made = [item for name, item in run.files() if record_path_of(run.folder, item) == path]
        jobs = [job for item in made for job in run.consumers(item)]
    jobs = rng.sample(jobs, min(readers, len(jobs)))
    if not jobs:
        record = path if kind.endswith(".record") else record_path_of(run.folder, path)
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


def hostile_contents(rng: random.Random, path: Path, data: bytes) -> bytes:
    """Other contents of a file: one of its variants, or what a mutator of its format makes."""
    if rng.random() < 0.5:
        return rng.choice(list(variants(path, data)))[1]()
    return FORMATS.get(SUFFIXES.get(path.suffix, ""), raw)(rng, data)


@fault
def hostile(rng: random.Random, run: SmallRun, folder: Path) -> Round:
    """A file that somebody made, without a record or with a right one: nothing in it runs."""
    kind, path = pick(rng, run)
    contents = hostile_contents(rng, path, (folder / path).read_bytes())
    jobs = run.consumers(path)
    jobs = rng.sample(jobs, min(READERS, len(jobs)))
    return of_contents(run, folder, kind, path, contents, jobs, sealed=rng.random() < 0.5)


def of_contents(
    run: SmallRun,
    folder: Path,
    kind: str,
    path: Path,
    contents: bytes,
    jobs: Sequence[Job],
    sealed: bool,
) -> Round:
    """Put contents in place of a file, `sealed` or without its record; run jobs that read it."""
    where = f"{kind} {path}"
    replace(folder / path, contents)
    record = record_path_of(run.folder, path)
    if sealed:
        seal(run.folder, folder, path)
    elif record is not None:
        (folder / record).unlink(missing_ok=True)
    for job in jobs:
        outcome = execute(job, folder)
        if unclear(outcome):
            return Round("hostile", where, "unclear", f"{job.name}: {outcome.log[-500:]}")
        if list(folder.rglob("PWNED")):
            return Round("hostile", where, "wrong", "it ran a command")
        if outcome.code == 2:
            return Round("hostile", where, "noticed", outcome.sentence)
    return Round("hostile", where, "equal", "read as an edit of the user's")
