"""`milan bench`: measured ratios of the native core."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from typing import Any

from milan_core.cli.common import stage, verb
from milan_core.errors import UserError


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "bench", "benchmarks, as ratios measured in one run")
    summary = "kernels against their targets"
    parser = verb(verbs, "core", summary, "milan bench core", _core)
    parser.add_argument("--quick", action="store_true", help="fewer images and repetitions")


def _core(arguments: argparse.Namespace) -> int:
    if importlib.util.find_spec("benchmarks") is None:
        message = "benchmarks/ is not importable here; run this command in the folder of a checkout"
        raise UserError(message)
    command = [sys.executable, "-m", "benchmarks.core", *(["--quick"] if arguments.quick else [])]
    return subprocess.run(command, check=False).returncode
