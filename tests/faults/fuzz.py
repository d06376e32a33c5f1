"""Fuzz every own reader: only a `UserError`, bounded memory and time, nothing outside its folder.

    PYTHONPATH=tests python -m faults.fuzz --minutes 5 --seed 1
    PYTHONPATH=tests python -m faults.fuzz --reader exemplars --minutes 1

Each execution damages one of the reader's small good files (`readers.py`) with the mutator of its
format (`mutators.py`) and reads all of them. The seed of an execution is printed with a find, and
its file is kept in `--finds`. Work is done in child processes of 50 executions each, so that a
crash of the interpreter is a find as well.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import random
import resource
import shutil
import signal
import sys
import tarfile
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

from faults.mutators import FORMATS, raw
from faults.readers import READERS, Reader

CHUNK = 50
SECONDS = 10  # CPU time of one execution
ROOM = 2 << 30  # bytes of address space beyond what the process has
Find = dict[str, str]


class TooSlowError(BaseException):
    """An execution took more than `SECONDS`; no reader can catch it by accident."""


def damage(target: Reader, good: Path, folder: Path, seed: str) -> str:
    """Copy the good files to `folder` and damage one of them; returns its path in the folder."""
    rng = random.Random(seed)
    shutil.copytree(good, folder)
    name = rng.choice(sorted(target.files))
    mutate = FORMATS[rng.choice(target.files[name])]
    path = folder / name
    data = path.read_bytes()
    try:
        path.write_bytes(mutate(rng, data))
    except (ValueError, KeyError, tarfile.TarError):  # damage that the format's writer refuses
        path.write_bytes(raw(rng, data))
    return name


def attempt(target: Reader, folder: Path) -> str:
    """Read a damaged folder; returns what is wrong with the outcome, or an empty text."""
    from milan_core.core.errors import UserError

    before = set(folder.parent.iterdir())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target.read(folder)
    except UserError as error:
        if "\n" in str(error):
            return "an error of several lines"
    except TooSlowError:
        return f"more than {SECONDS} s"
    except MemoryError:
        return "MemoryError"
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [f for f in frames if "milan_core" in f.filename] or frames
        place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
        return f"{type(error).__name__} at {place}: {str(error)[:120]!r}"
    if set(folder.parent.iterdir()) != before or Path("PWNED").exists():
        return "wrote outside its folder"
    return ""


def _alarm(*_: object) -> None:
    raise TooSlowError


def _chunk(target: Reader, good: Path, work: Path, seeds: list[str], out: int) -> None:
    """In a child: a line per find to `out`."""
    soft = _address_space() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (soft, soft))
    signal.signal(signal.SIGPROF, _alarm)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    for seed in seeds:
        folder = work / "case"
        shutil.rmtree(folder, ignore_errors=True)
        (work / "seed").write_text(seed)
        name = damage(target, good, folder, seed)
        damaged = (folder / name).read_bytes()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            problem = attempt(target, folder)
        except TooSlowError:
            problem = f"more than {SECONDS} s"
        signal.setitimer(signal.ITIMER_PROF, 0)
        if problem:
            line = {"reader": target.name, "seed": seed, "file": name, "problem": problem}
            os.write(out, (json.dumps(line) + "\n").encode())
            (work / "finds" / f"{target.name}-{seed}").write_bytes(damaged)


def _address_space() -> int:
    pages = Path("/proc/self/statm").read_text().split()[0]
    return int(pages) * resource.getpagesize()


def run_chunk(target: Reader, good: Path, work: Path, seeds: list[str]) -> list[Find]:
    """Execute `seeds` in a child process; returns the finds."""
    (work / "finds").mkdir(exist_ok=True)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        code = 1
        with contextlib.suppress(BaseException):
            _chunk(target, good, work, seeds, write)
            code = 0
        os._exit(code)
    os.close(write)
    with os.fdopen(read) as lines:
        finds = [json.loads(line) for line in lines]
    _, status = os.waitpid(child, 0)
    if status:
        seed = (work / "seed").read_text()
        reason = f"the process died: {os.waitstatus_to_exitcode(status)}"
        finds.append({"reader": target.name, "seed": seed, "file": "", "problem": reason})
    return finds


def main(argv: list[str] | None = None) -> int:
    """Run the command; exit code 1 where something was found."""
    parser = argparse.ArgumentParser(prog="faults.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, help="1, or without an end if --until is given")
    parser.add_argument("--until", help="HH:MM")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", action="append", choices=sorted(READERS), default=[])
    parser.add_argument("--finds", type=Path, default=Path(tempfile.gettempdir(), "finds"))
    arguments = parser.parse_args(argv)
    import torch

    torch.set_num_threads(1)
    targets = [READERS[name] for name in arguments.reader or sorted(READERS)]
    minutes = arguments.minutes or (math.inf if arguments.until else 1)
    end = time.monotonic() + 60 * minutes
    counts, seen, usage = Counter[str](), Counter[tuple[str, ...]](), Counter[str]()
    arguments.finds.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work, contextlib.chdir(work):
        for target in targets:
            (Path(work) / "good" / target.name).mkdir(parents=True)
            target.make(Path(work) / "good" / target.name)
            problem = attempt(
                target,
                Path(shutil.copytree(f"{work}/good/{target.name}", f"{work}/t/{target.name}")),
            )
            if problem:
                print(f"{target.name}: its good files are not read: {problem}")
                return 2
        (Path(work) / "w").mkdir()
        number = 0
        while time.monotonic() < end and not _past(arguments.until):
            for target in targets:
                if time.monotonic() >= end or _past(arguments.until):
                    break
                seeds = [f"{arguments.seed}.{number + i}" for i in range(CHUNK)]
                before = _cpu()
                good = Path(work) / "good" / target.name
                for find in run_chunk(target, good, Path(work) / "w", seeds):
                    key = (find["reader"], find["problem"].partition(": ")[0])
                    seen[key] += 1
                    if seen[key] == 1:
                        print(json.dumps(find), flush=True)
                        kept = Path(work) / "w/finds" / f"{find['reader']}-{find['seed']}"
                        if kept.is_file():
                            shutil.copy(kept, arguments.finds)
                counts[target.name] += CHUNK
                usage[target.name] += round(1000 * (_cpu() - before))
                shutil.rmtree(Path(work) / "w/finds", ignore_errors=True)
            number += CHUNK
            _table(arguments.finds / f"counts.{arguments.seed}.txt", counts, usage, seen)
    _table(None, counts, usage, seen)
    return 1 if seen else 0


def _past(until: str | None) -> bool:
    """Whether the clock is within 12 hours after `until`."""
    if not until:
        return False
    hour, minute = map(int, until.split(":"))
    now = time.localtime()
    behind = (now.tm_hour * 60 + now.tm_min - hour * 60 - minute) % 1440
    return behind < 720


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _table(
    path: Path | None, counts: Counter[str], usage: Counter[str], seen: Counter[tuple[str, ...]]
) -> None:
    """Executions, CPU-seconds and finds by reader."""
    lines = ["reader executions cpu_seconds kinds_of_finds finds"]
    for name in sorted(counts):
        finds = [count for key, count in seen.items() if key[0] == name]
        lines.append(f"{name} {counts[name]} {usage[name] / 1000:.1f} {len(finds)} {sum(finds)}")
    total = (
        f"{sum(counts.values())} {sum(usage.values()) / 1000:.1f} {len(seen)} {sum(seen.values())}"
    )
    text = "\n".join([*lines, f"all {total}"])
    if path is None:
        print(text)
    else:
        path.write_text(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
