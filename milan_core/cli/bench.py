"""`milan bench`: measured ratios of the native core, decoding and experiments."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from typing import Any

from milan_core.cli.common import stage, verb
from milan_core.core.errors import UserError


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "bench", "benchmarks, as ratios measured in one run")
    for name, summary in (
        ("core", "kernels against their targets"),
        ("decoding", "descriptions of units against a plain implementation"),
        ("ablation", "ablations against one forward pass for each"),
        ("formulas", "formulas of concepts against NumPy"),
        ("intervals", "how often intervals and tests are right on data whose truth is known"),
    ):
        parser = verb(verbs, name, summary, f"milan bench {name}", _bench)
        parser.add_argument("--quick", action="store_true", help="less work, fewer repetitions")


def _bench(arguments: argparse.Namespace) -> int:
    if importlib.util.find_spec("benchmarks") is None:
        message = "benchmarks/ is not importable here; run this command in the folder of a checkout"
        raise UserError(message)
    command = [sys.executable, "-m", f"benchmarks.{arguments.verb}"]
    command += ["--quick"] if arguments.quick else []
    return subprocess.run(command, check=False).returncode
