"""`milan check`: check a configuration as a run does, without running anything."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.config import load

WORKFLOW_CONFIG = Path("config/config.yaml")  # read first by the Snakefile
EPILOG = """example:
  milan check my.yaml             # what `snakemake --configfile my.yaml` would run
  milan check --alone my.yaml     # the files given and nothing else"""


def register(subparsers: Any) -> None:
    """Add the command."""
    summary = "check a configuration as a run does: names, values, files"
    parser = subparsers.add_parser(
        "check",
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}. Files are merged in order, after "
        f"{WORKFLOW_CONFIG}, as Snakemake merges them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="CONFIG")
    parser.add_argument("--alone", action="store_true", help=f"do not read {WORKFLOW_CONFIG}")
    parser.set_defaults(run=_run)


def merged_files(files: list[Path], alone: bool) -> list[Path]:
    """The files that a run merges: the workflow's own, where it is here, then those given."""
    given_first = files[:1] == [WORKFLOW_CONFIG]
    own = not (alone or given_first) and WORKFLOW_CONFIG.is_file()
    return [WORKFLOW_CONFIG, *files] if own else files


def _run(arguments: argparse.Namespace) -> None:
    from milan_core.core.errors import UserError
    from milan_core.core.numbers import counted
    from milan_core.plan.checks import read_config
    from milan_core.plan.splits import splits

    files = merged_files(arguments.files, arguments.alone)
    if not files:
        raise UserError(f"no configuration: {WORKFLOW_CONFIG} is not here; name a file")
    try:
        config = read_config(load(files))
    except UserError as error:
        complete = arguments.alone or files[0] == WORKFLOW_CONFIG
        if complete or "field required" not in str(error):
            raise
        raise UserError(
            f"{error}; {WORKFLOW_CONFIG} is not in this folder, so only what is named was read: "
            "check in the folder of the workflow (`milan init FOLDER` makes one)"
        ) from None
    names = ", ".join(splits(config))
    networks = counted(len(config.models), "network")
    print(f"ok: {' + '.join(map(str, files))}: {networks}, splits {names}")
