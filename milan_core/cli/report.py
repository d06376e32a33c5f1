"""`milan report`: the browsable pages."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import json_value, stage, verb


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "report", "pages that open from disk")
    parser = verb(
        verbs,
        "pages",
        "write the report of a run",
        "milan report pages --run @run.json --out results/report",
        _pages,
    )
    parser.add_argument("--run", type=json_value, required=True, dest="settings")
    parser.add_argument("--out", type=Path, required=True)


def _pages(arguments: argparse.Namespace) -> None:
    from milan_core.report.pages import build_report
    from milan_core.report.run import collect_run

    build_report(collect_run(arguments.settings), arguments.out)
