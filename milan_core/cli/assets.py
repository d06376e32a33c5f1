"""`milan assets`: everything that is fetched: what there is, where it goes, whether it is right."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import folder_of, json_value, stage, verb
from milan_core.core.errors import UserError


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "assets", "published files, weights and data packages: fetch, verify")
    parser = verb(
        verbs,
        "fetch",
        "bring what is named to its place: resumed, checked, whole or not at all",
        "milan assets fetch milan_base milannotations_alexnet_imagenet",
        _fetch,
    )
    parser.add_argument("names", nargs="+", metavar="NAME", help="see `milan assets list`")
    parser.add_argument("--spec", type=json_value, help="asset of your own, as JSON (one NAME)")
    parser.add_argument("--out", type=Path, help="another place (one NAME)")
    _add_resources(parser)
    parser = verb(
        verbs,
        "verify",
        "check what is in place against known or recorded SHA-256; without NAME all that is there",
        "milan assets verify",
        _verify,
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    _add_resources(parser)
    parser = verb(
        verbs,
        "list",
        "what there is, where it goes, what to get by hand",
        "milan assets list",
        _list,
    )
    parser.add_argument("--missing", action="store_true", help="only what is not in place")
    _add_resources(parser)
    parser = verb(
        verbs, "where", "print the place of an asset", "milan assets where milan_base", _where
    )
    parser.add_argument("name", metavar="NAME")
    _add_resources(parser)


def _add_resources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--resources", type=Path, default=Path("resources"), help="their folder")


def _fetch(arguments: argparse.Namespace) -> None:
    names, spec, out = arguments.names, arguments.spec, arguments.out
    if len(names) > 1 and (spec or out):
        message = f"--spec and --out go with one name, got {len(names)}: {', '.join(names)}"
        raise UserError(message)
    if spec and not out:
        message = "an asset of your own (--spec) needs --out, the place to put it"
        raise UserError(message)
    if spec and "package" not in spec:
        _fetch_file(names[0], spec, out)
    elif spec or (out and names[0] in _packages()):
        _fetch_package(names[0], spec, out)
    else:
        from milan_core.images.fetch.catalog import fetch_entry, find_entry

        for entry in [find_entry(name) for name in names]:
            print(fetch_entry(entry, arguments.resources, out=out))


def _fetch_file(name: str, spec: dict[str, Any], out: Path) -> None:
    from milan_core.images.fetch.download import FileSpec, fetch_file

    try:
        file = FileSpec(name, **spec)
    except TypeError:
        known = "urls, sha256, obtain"
        message = f"--spec: expected keys {known} (or those of a package), got {', '.join(spec)}"
        raise UserError(message) from None
    fetch_file(file, out)


def _packages() -> Any:
    from milan_core.images.fetch.registry import load_registry

    return load_registry()


def _fetch_package(name: str, spec: dict[str, Any] | None, out: Path) -> None:
    from milan_core.images.fetch.fetch import fetch_asset
    from milan_core.images.fetch.registry import AssetSpec

    try:
        package = AssetSpec(name=name, **spec) if spec else _packages()[name]
    except TypeError as error:
        raise UserError(f"--spec: not the keys of a package: {error}") from None
    fetch_asset(package, folder_of(out))


def _verify(arguments: argparse.Namespace) -> int:
    from milan_core.images.fetch.catalog import catalog, find_entry, verify_entry

    resources = arguments.resources
    if arguments.names:
        entries = [find_entry(name) for name in arguments.names]
    else:
        entries = [entry for entry in catalog().values() if entry.is_here(resources)]
    wrong = 0
    for entry in entries:
        here = entry.is_here(resources)
        problem = verify_entry(entry, resources) if here else "it is not there"
        wrong += bool(problem)
        print(f"{entry.name}: {problem or 'right'} ({resources / entry.place})")
    return 2 if wrong else 0


HEADINGS = {
    "package": "Data packages of the embedded world (pip, pinned)",
    "file": "Published files",
    "weights": "Published weights of the built-in networks (the workflow fetches them when needed)",
    "by hand": "To be obtained by hand, and placed as shown",
}


def _list(arguments: argparse.Namespace) -> None:
    from milan_core.images.fetch.catalog import catalog

    resources = arguments.resources
    entries = [
        entry
        for entry in catalog().values()
        if not (arguments.missing and entry.is_here(resources))
    ]
    width = max((len(entry.name) for entry in entries), default=0)
    for kind, heading in HEADINGS.items():
        print(f"{heading}:")
        for entry in (entry for entry in entries if entry.kind == kind):
            state = "here   " if entry.is_here(resources) else "missing"
            place = resources / entry.place
            print(f"  {entry.name:{width}} {state} {place}  <- {entry.source}; {_note(entry)}")


def _note(entry: Any) -> str:
    return f"{entry.package.licence}; {entry.what}" if entry.package else entry.what


def _where(arguments: argparse.Namespace) -> int:
    from milan_core.images.fetch.catalog import find_entry

    entry = find_entry(arguments.name)
    print(arguments.resources / entry.place)
    return 0 if entry.is_here(arguments.resources) else 1
