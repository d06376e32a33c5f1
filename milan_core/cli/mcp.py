"""`milan mcp`: serve an atlas to programs that speak the Model Context Protocol."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "mcp",
        help="serve an atlas to language models, read-only",
        description="Serve an atlas or a pack over the Model Context Protocol (standard input and "
        "output): tools to list networks and units, to search, and to read texts and scores.",
        epilog="example: milan mcp results/atlas",
    )
    parser.add_argument("folder", type=Path, help="an atlas or a pack")
    parser.set_defaults(run=_serve)


def _serve(arguments: argparse.Namespace) -> None:
    from milan_core.atlas.served import server

    server(arguments.folder).run()
