"""`milan init`: a folder to run the workflow of the installed package in, without a clone."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import Any

from milan_core import __version__
from milan_core.core.errors import UserError
from milan_core.core.files import write_bytes
from milan_core.core.lock import publishing
from milan_core.core.shipped import shipped_root

EPILOG = """example:
  milan init my_study && cd my_study
  snakemake --cores all --configfile config/quick.yaml"""
COPIED = ("config", "profiles")
SNAKEFILE = f"""\
# The workflow of the installed package milan-workflow (written by version {__version__}).
# Put your choices into a file in config/: snakemake --cores all --configfile config/my.yaml
from milan_core.core.shipped import snakefile


include: snakefile()


# `include` forgets the default target of the included file.
workflow.default_target = "all"
"""
IGNORED = "results/\nresources/\nlogs/\n.snakemake/\n"


def register(subparsers: Any) -> None:
    """Add the command."""
    summary = "write a folder that runs the workflow of the installed package"
    parser = subparsers.add_parser(
        "init",
        help=summary,
        description="Write workflow/Snakefile, config/, profiles/ and .gitignore into a folder. "
        "Files that are there already are never changed.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("out", type=Path, metavar="FOLDER", help="folder, made where it is missing")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    written = init(arguments.out)
    print(f"wrote {written} files to {arguments.out}; next:")
    print(f"  cd {arguments.out}")
    print("  snakemake --cores all --configfile config/quick.yaml   # minutes, without downloads")
    print("  snakemake --cores all                                  # the embedded default")


def init(folder: Path) -> int:
    """Write what a deployed workflow has into `folder`; returns the number of files written.

    Raises:
        UserError: a file is there with other content, or cannot be written; then none is written.

    """
    wanted = contents()
    other = [name for name, data in wanted.items() if _differs(folder / name, data)]
    if other:
        raise UserError(
            f"{folder} holds other files of these names: {', '.join(other[:3])}"
            f"{', ...' if len(other) > 3 else ''}; name another folder, or move them away"
        )
    missing = {name: data for name, data in wanted.items() if not (folder / name).exists()}
    _write_all(folder, missing)
    return len(missing)


def _write_all(folder: Path, files: dict[str, bytes]) -> None:
    """Write new files; where one cannot be written, take away those before it."""
    places = {name: folder / name for name in files}
    above = {parent for place in places.values() for parent in place.parents}
    missing = [parent for parent in above if not parent.exists()]
    try:
        for name, data in files.items():
            write_bytes(places[name], data)
    except BaseException:
        with publishing():
            for place in places.values():
                place.unlink(missing_ok=True)
            for parent in sorted(missing, key=lambda one: len(one.parts), reverse=True):
                with contextlib.suppress(OSError):  # not made, or in use by others
                    parent.rmdir()
        raise


def contents() -> dict[str, bytes]:
    """The files of a deployed workflow, by their path in its folder."""
    root = shipped_root()
    copied = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for part in COPIED
        for path in sorted((root / part).rglob("*"))
        if path.is_file()
    }
    if not copied:
        raise UserError(
            f"this installation of milan-workflow has no {' or '.join(COPIED)} in {root}; "
            "install it again"
        )
    return {"workflow/Snakefile": SNAKEFILE.encode(), ".gitignore": IGNORED.encode(), **copied}


def _differs(path: Path, data: bytes) -> bool:
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return True
    return path.exists() and path.read_bytes() != data
