"""Rounds of faults over the small run, drawn from a seed; a table of what became of them.

    PYTHONPATH=tests python -m faults.rounds --rounds 200 --seed 1

Every round works on a copy of the undisturbed run. Its outcome is one of:

    noticed      a sentence, or `milan verify` names the file
    recovered    the job, started again, gave the bytes of the undisturbed run
    equal        nobody noticed, and every output is equal
    lost         a job that should have recovered did not, or left something behind
    wrong        nobody noticed, and an output differs
    unclear      a traceback, a crash, or more than a sentence
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from faults import harm, killing, machine  # noqa: F401 - they declare their faults
from faults.kinds import BAD, FAULTS, OUTCOMES, Round
from faults.machine import MOUNTS, can_mount
from faults.run import SmallRun, copy
from faults.small import small_run


def play(run: SmallRun, seed: str, fault: str = "") -> Round:
    """One round, drawn from its seed."""
    rng = random.Random(seed)
    names = sorted(FAULTS) if can_mount() else [n for n in sorted(FAULTS) if n not in MOUNTS]
    chosen = fault or rng.choice(names)
    with tempfile.TemporaryDirectory(dir=run.folder.parent) as name:
        folder = copy(run.folder, Path(name)) if chosen not in MOUNTS else Path(name)
        return FAULTS[chosen](rng, run, folder)


def table(rounds: list[Round]) -> str:
    """Injected faults and their outcomes, by kind of fault."""
    lines = [f"{'fault':<14} injected " + " ".join(f"{name:>9}" for name in OUTCOMES)]
    for name in [*sorted({item.fault for item in rounds}), "all"]:
        chosen = [item for item in rounds if name in (item.fault, "all")]
        found = Counter(item.outcome for item in chosen)
        lines.append(f"{name:<14} {len(chosen):>8} " + " ".join(f"{found[o]:>9}" for o in OUTCOMES))
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Play rounds and print the table; exit code 1 where something was lost, wrong or unclear."""
    parser = argparse.ArgumentParser(prog="faults.rounds", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=280, help="stop after so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=0, help="number of the first round")
    parser.add_argument("--fault", choices=sorted(FAULTS), default="")
    arguments = parser.parse_args(argv)
    begin, rounds = time.monotonic(), list[Round]()
    with tempfile.TemporaryDirectory() as name, small_run(Path(name, "run")) as run:
        print(
            f"undisturbed run: {len(run.jobs)} jobs, {time.monotonic() - begin:.0f} s", flush=True
        )
        for number in range(arguments.start, arguments.start + arguments.rounds):
            if time.monotonic() - begin > arguments.seconds:
                print(f"stopped before round {number}")
                break
            item = play(run, f"{arguments.seed}.{number}", arguments.fault)
            rounds.append(item)
            if item.outcome in BAD:
                print(f"{arguments.seed}.{number} {item}", flush=True)
    print(table(rounds))
    return 1 if any(item.outcome in BAD for item in rounds) else 0


if __name__ == "__main__":
    sys.exit(main())
