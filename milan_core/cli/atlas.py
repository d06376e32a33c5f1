"""`milan atlas`: a browser of units that is one folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import stage, verb


def register(subparsers: Any) -> None:
    """Add the command."""
    verbs = stage(subparsers, "atlas", "atlas: a browser of units that is one folder")
    parser = verb(
        verbs,
        "build",
        "write the atlas of a finished run, or of a folder of milan describe",
        "milan atlas build results -o atlas",
        _build,
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders with results")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the atlas")
    parser.add_argument("--title", default="Descriptions of neurons", help="heading")
    parser.add_argument("--notice", default="", help="a sentence for every page")
    parser.add_argument(
        "--images",
        type=Path,
        action="append",
        default=[],
        help="folder of a data set, or of several, where the probe images lie; repeatable",
    )
    parser.add_argument(
        "--network",
        action="append",
        default=[],
        help="only this network; repeatable",
    )


def _build(arguments: argparse.Namespace) -> None:
    from milan_core.atlas.build import AtlasFiles, Heading, build_atlas
    from milan_core.atlas.found import find_networks, find_records, find_sections
    from milan_core.core.errors import unknown
    from milan_core.core.folders import new_folder

    networks = [one for run in arguments.runs for one in find_networks(run, arguments.images)]
    names = [one.name for one in networks]
    for name in arguments.network:
        if name not in names:
            raise unknown("network", name, names, "--network")
    chosen = [one for one in networks if not arguments.network or one.name in arguments.network]
    files = AtlasFiles(
        chosen,
        sections=[path for run in arguments.runs for path in find_sections(run)],
        records=[path for run in arguments.runs for path in find_records(run)],
    )
    with new_folder(arguments.out) as out:
        counts = build_atlas(files, out, Heading(arguments.title, arguments.notice))
    print(
        f"{arguments.out / 'index.html'}: {counts['networks']} networks, {counts['units']} units, "
        f"{counts['images']} images"
    )
