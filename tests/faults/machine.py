"""Faults of the machine: limits on file sizes, full disks and read-only ones."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from faults.kinds import Round, fault, outputs_gone, refused, sizes
from faults.run import Job, SmallRun, execute, limit_file_size

MOUNTS = ("full_disk", "read_only")  # need a file system of their own


@fault
def file_limit(rng: random.Random, run: SmallRun, folder: Path) -> Round:
    """A limit on file sizes (`ulimit -f`), then the job again without it."""
    job = rng.choice(run.jobs)
    outputs_gone(job, folder)
    limit = max(1024, rng.randrange(sizes(run, job) + 1))  # the log's sentence has room
    outcome = execute(job, folder, limit_file_size(limit))
    return refused(run, job, folder, outcome, "file_limit", "limit on file sizes")


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
