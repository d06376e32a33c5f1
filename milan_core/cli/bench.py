"""`milan bench`: measured ratios of the native core."""

from __future__ import annotations

import argparse
import importlib.util
from typing import Any

from milan_core.cli.common import stage, verb
from milan_core.errors import UserError


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "bench", "benchmarks, as ratios measured in one run")
    verb(verbs, "core", "kernels against their targets", "milan bench core", _core)


def _core(arguments: argparse.Namespace) -> int:
    if importlib.util.find_spec("benchmarks") is None:
        raise UserError(
            "benchmarks/ is not importable here; run `python -m benchmarks.core` in a checkout"
        )
    from benchmarks import core

    return int(core.main([]) or 0)
