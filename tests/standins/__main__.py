"""Write stand-ins for the pictures, annotation sets and weights that a configuration reads.

PYTHONPATH=tests python -m standins config/config.yaml config/paper.yaml config/smoke.yaml \\
    --out resources/smoke
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from milan_core.cli.config import load
from milan_core.core.errors import UserError
from milan_core.plan.checks import parse_config
from standins.make import make


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="standins", description="Write stand-ins of the published files of a configuration."
    )
    parser.add_argument("files", nargs="+", type=Path, help="configuration files, merged in order")
    parser.add_argument("--out", type=Path, required=True, help="the configuration's resources")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    try:
        overlay = make(parse_config(load(arguments.files)), arguments.out, arguments.seed, print)
    except UserError as error:
        print(f"standins: error: {error}", file=sys.stderr)
        return 2
    print(f"{overlay}: give it after the other configuration files")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
