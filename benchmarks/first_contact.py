"""The first run on a GPU: what must be right, then what must be fast. About 5 minutes on an H100.

    python -m benchmarks.first_contact                        # the first GPU
    python -m benchmarks.first_contact --device cpu --small   # tries the script out, no GPU

Each step prints one line of JSON and adds it to `first_contact.jsonl` (`--out`), so that a crash
costs one step; `--only` names some. `pytest -m gpu` runs the whole matrix of small cases besides.
Leaves with status 1 when a step raised or found something wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks import contact_checks, contact_path, contact_speed
from milan_core import ops

Step = Callable[[str, bool], Any]
CHECKS: list[Step] = [*contact_checks.CHECKS, *contact_path.CHECKS]
STEPS: list[Step] = [*CHECKS, *contact_speed.SPEEDS, *contact_path.SPEEDS]


def facts(device: str) -> dict[str, Any]:
    """Machine, build and load."""
    found = {**ops.facts(), "torch": torch.__version__, "load": os.getloadavg()[0]}
    if device == "cpu":
        found["built_with_cuda"] = "yes" if found["built_with_cuda"] else "no, and not needed here"
    else:
        found["gpu"] = torch.cuda.get_device_name(device)
        found["capability"] = torch.cuda.get_device_capability(device)
    return found


def is_right(result: Any) -> bool:
    """No falsehood and no list of what is wrong in a result."""
    if isinstance(result, dict):
        return all(is_right(value) for value in result.values()) and not result.get("wrong")
    return result is not False


def run(name: str, work: Callable[[], Any]) -> dict[str, Any]:
    """One step as a line: its result, or the error with the place in the source."""
    start = time.perf_counter()
    try:
        result = work()
        right = is_right(result)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        result, right = f"{type(error).__name__}: {error} ({place.name}:{place.lineno})", False
    seconds = round(time.perf_counter() - start, 2)
    return {"step": name, "right": right, "seconds": seconds, "result": result}


def main() -> int:
    """Run the steps."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, or cpu for a dry run")
    parser.add_argument("--small", action="store_true", help="small sizes")
    parser.add_argument("--out", type=Path, default=Path("first_contact.jsonl"))
    parser.add_argument("--only", nargs="*", choices=[step.__name__ for step in STEPS])
    given = parser.parse_args()
    chosen = [step for step in STEPS if not given.only or step.__name__ in given.only]
    right = True
    with given.out.open("a") as out:
        lines = [("facts", lambda: facts(given.device))]
        lines += [(step.__name__, lambda s=step: s(given.device, given.small)) for step in chosen]
        for name, work in lines:
            line = run(name, work)
            right = right and line["right"]
            text = json.dumps(line, default=str)
            print(text, flush=True)
            out.write(text + "\n")
            out.flush()
    return 0 if right else 1


if __name__ == "__main__":
    raise SystemExit(main())
