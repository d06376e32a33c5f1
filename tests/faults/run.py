"""A small but whole run of the workflow whose jobs are started here, one by one, under faults.

The plan is Snakemake's (a dry run that prints commands); each job is a forked child of this process
that runs `milan step ...` in the folder of the run, so a whole run takes seconds.
"""

from __future__ import annotations

import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from copies import SNAKEMAKE
from paths import ROOT

from milan_core.cli.step import read_step
from milan_core.core.files import file_sha256
from milan_core.core.recording import record_path
from milan_core.core.step import Step, step_fields

_JOB = re.compile(r"^Shell command: milan (--log \S+ step .*)$", re.MULTILINE)
Setup = Callable[[], None]


@dataclass(frozen=True, eq=False)
class Job:
    """One job of the plan: its step, and the arguments of `milan`."""

    arguments: tuple[str, ...]
    step: Step

    @property
    def name(self) -> str:
        """Name of the step."""
        return self.step.step_name

    @property
    def inputs(self) -> list[Path]:
        """Files and folders that it reads, relative to the run."""
        return self.step.paths("input")

    @property
    def outputs(self) -> list[Path]:
        """Files and folders that it writes."""
        return [path for path in self.step.paths("output", "folder") if path != self.step.record]

    def artifacts(self) -> Iterator[tuple[str, Path]]:
        """Its outputs by kind, `step.field`."""
        for field in step_fields(type(self.step)):
            value = getattr(self.step, field.name)
            if field.role in ("output", "folder") and field.name != "record" and value is not None:
                for path in value if field.many else [value]:
                    yield f"{self.name}.{field.name}", path


def plan(configuration: Sequence[str], targets: Sequence[str] = ()) -> list[Job]:
    """The jobs of the small run, each after those whose outputs it reads."""
    done = subprocess.run(
        [SNAKEMAKE, "-n", "-p", "--forceall", "--configfile", *configuration, "--", *targets],
        cwd=ROOT, check=False, capture_output=True, text=True,
        env={**os.environ, "PATH": f"{SNAKEMAKE.parent}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stdout[-3000:] + done.stderr[-3000:])
    return _ordered([_job(line) for line in _JOB.findall(done.stdout + done.stderr)])


def _job(line: str) -> Job:
    words = shlex.split(line)
    at = words.index("step")
    return Job(tuple(words), read_step(words[at + 1 :]))


def _ordered(jobs: list[Job]) -> list[Job]:
    """Jobs in an order in which inputs come before those that read them."""
    makers = {path: job for job in jobs for path in job.outputs}
    order: dict[Job, None] = {}

    def put(job: Job) -> None:
        for path in job.inputs:
            maker = makers.get(path) or makers.get(path.parent)
            if maker is not None and maker not in order and maker is not job:
                put(maker)
        order[job] = None

    for job in jobs:
        if job not in order:
            put(job)
    return list(order)


@dataclass(frozen=True)
class Outcome:
    """How a job ended: its exit code (negative: the signal), and what it wrote to its log."""

    code: int
    log: str

    @property
    def traceback(self) -> bool:
        """Whether it ended with a traceback instead of a sentence."""
        return "Traceback (most recent call last)" in self.log

    @property
    def sentence(self) -> str:
        """Its one line for people."""
        lines = [line for line in self.log.splitlines() if line.startswith("milan: error:")]
        return lines[-1] if lines else ""


def start(job: Job, folder: Path, setup: Setup | None = None) -> int:
    """Start a job in a child process; returns its number."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.chdir(folder)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        if setup is not None:
            setup()
        from milan_core.cli import main

        code = main(list(job.arguments))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def finish(job: Job, folder: Path, child: int) -> Outcome:
    """Wait for a job that was started."""
    _, status = os.waitpid(child, 0)
    log = folder / job.arguments[1]
    text = log.read_text(errors="replace") if log.is_file() else ""
    return Outcome(os.waitstatus_to_exitcode(status), text)


def execute(job: Job, folder: Path, setup: Setup | None = None) -> Outcome:
    """Run a job to its end."""
    return finish(job, folder, start(job, folder, setup))


def limit_file_size(size: int) -> Setup:
    """Files of the job may have so many bytes (`ulimit -f`)."""

    def setup() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return setup


def content(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of results and resources; records, logs and hidden files left out.

    Seconds differ from run to run, so tables of time are left out as well.
    """
    files = {}
    for top in ("results", "resources"):
        for path in sorted((folder / top).rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and counts(name):
                files[name] = file_sha256(path)
    return files


def counts(name: str) -> bool:
    """Whether a file must be the same in every run."""
    parts = Path(name).parts
    timed = ("timing.csv", "training.csv", "study.svg")
    hidden = any(part.startswith(".") for part in parts)
    seconds = "report" in parts or name.endswith(("provenance.json", "atlas/data/run.js"))
    return not (hidden or seconds or parts[-1] in timed)


def copy(source: Path, target: Path) -> Path:
    """A copy by hard links: writers replace files, they never change them; logs are not copied."""
    for top in ("results", "resources"):
        shutil.copytree(source / top, target / top, copy_function=os.link)
    return target


def restore(run: SmallRun, folder: Path, paths: Iterable[Path]) -> None:
    """Give files and folders of a copy the contents of the undisturbed run again."""
    for path in paths:
        good, target = run.folder / path, folder / path
        if good.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(good, target, copy_function=os.link)
        else:
            target.unlink(missing_ok=True)
            os.link(good, target)


def replace(path: Path, data: bytes) -> None:
    """Give a file other bytes without changing the file that it is linked to."""
    path.unlink()
    path.write_bytes(data)


@dataclass(frozen=True)
class SmallRun:
    """The undisturbed run: its folder, its jobs, the seconds of each, and its content."""

    folder: Path
    jobs: list[Job]
    seconds: dict[Job, float]
    content: dict[str, str]

    def consumers(self, path: Path) -> list[Job]:
        """Jobs that read a file, or the folder that it is in."""
        return [job for job in self.jobs if set(job.inputs) & {path, *path.parents}]

    def files(self) -> list[tuple[str, Path]]:
        """Every file of the run by kind: outputs of steps, and their records."""
        files = []
        for job in self.jobs:
            for kind, path in job.artifacts():
                files += [(kind, item) for item in self._inside(path)]
            record = record_path(job.step)
            files.append((f"{job.name}.record", record))
        return files

    def _inside(self, path: Path) -> list[Path]:
        whole = self.folder / path
        if whole.is_file():
            return [path]
        inside = sorted(item for item in whole.rglob("*") if item.is_file())
        found = [item.relative_to(self.folder) for item in inside]
        return [item for item in found if not item.name.endswith("provenance.json")]
