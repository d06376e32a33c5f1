"""`milan audit`: units of described networks whose description matches a query."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from milan_core.core.errors import UserError
from milan_core.core.files import write_csv
from milan_core.core.units import UnitKey
from milan_core.scoring.options import Query

TABLE = "descriptions.csv"
UNITS = ("model", "query", "layer", "unit", "description", "status")


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "audit",
        help="units whose description matches a query",
        description="Search descriptions for units that match a query: a shipped one, or words.",
        epilog="example: milan audit results/resnet_mini results/alexnet_mini --words dog dogs",
    )
    parser.add_argument(
        "sources", nargs="+", type=Path, metavar="SOURCE", help=f"a folder with {TABLE}, or a CSV"
    )
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--query", help="a shipped query, such as faces")
    chosen.add_argument("--words", nargs="+", help="any of these words or phrases")
    parser.add_argument("--exclude", nargs="+", default=[], help="phrases that do not count")
    parser.add_argument("--substring", action="store_true", help="match parts of words as well")
    parser.add_argument("--out", type=Path, help="folder for counts.csv and units.csv")
    parser.set_defaults(run=_audit)


def _audit(arguments: argparse.Namespace) -> None:
    from milan_core.core.folders import new_folder
    from milan_core.describers.abstention.options import UNRELIABLE
    from milan_core.experiments.audit import tables
    from milan_core.scoring.queries import matches

    label, query = _query(arguments)
    described, status = _read(arguments.sources)
    matching = {
        name: [key for key, text in texts.items() if matches(text, query)]
        for name, texts in described.items()
    }
    layers = {name: _layers(texts) for name, texts in described.items()}
    by_source = {(name, label, tables.DESCRIPTION): keys for name, keys in matching.items()}
    counts = tables.count_rows(by_source, layers)
    units = [
        (name, label, *key, described[name][key], status[name].get(key, ""))
        for name, keys in matching.items()
        for key in keys
    ]
    for name, _, layer, matched, total, *_ in counts:
        print(f"{name}\t{layer}\t{matched} of {total}")
    for name, _, layer, unit, text, said in units:
        print(f"{name}\t{layer}\t{unit}\t{text}" + (f"\t{said}" if said else ""))
    if guesses := sum(said == UNRELIABLE for *_, said in units):
        print(
            f"{guesses} of the {len(units)} matching texts are guesses of units without a reliable "
            "description (status unreliable)"
        )
    if arguments.out:
        with new_folder(arguments.out) as out:
            write_csv(out / "counts.csv", tables.COUNTS, counts)
            write_csv(out / "units.csv", UNITS, units)


def _query(arguments: argparse.Namespace) -> tuple[str, Query]:
    """The query and its name in the tables."""
    from milan_core.scoring.queries import choose_queries

    if arguments.query:
        if arguments.exclude or arguments.substring:
            raise UserError("--exclude and --substring belong to --words; a query has its own")
        return arguments.query, choose_queries([arguments.query], {}, "--query")[arguments.query]
    match = "substring" if arguments.substring else "words"
    query = Query(words=arguments.words, exclude=arguments.exclude, match=match)
    return " ".join(arguments.words), query


def _read(
    sources: list[Path],
) -> tuple[dict[str, dict[UnitKey, str]], dict[str, dict[UnitKey, str]]]:
    """Descriptions, and the status of each unit, by the name of each source.

    The name is that of the folder, or of another table's file.
    """
    from milan_core.scoring.tables import read_descriptions, read_status

    described: dict[str, dict[UnitKey, str]] = {}
    status: dict[str, dict[UnitKey, str]] = {}
    for source in sources:
        path = source.resolve() / TABLE if source.is_dir() else source.resolve()
        if source.is_dir() and not path.exists():
            inside = sorted(str(table.parent) for table in source.glob(f"*/{TABLE}"))
            found = f"folders of networks inside it: {', '.join(inside[:10])}"
            hint = found if inside else "`milan describe` and runs write one per network"
            raise UserError(f"{source} has no {TABLE}: give a network's folder; {hint}")
        name = path.parent.name if path.name == TABLE else path.stem
        if name in described:
            raise UserError(f"two sources are called {name!r}; rename one of them")
        described[name] = read_descriptions(path)
        status[name] = read_status(path)
    return described, status


def _layers(units: Mapping[UnitKey, str]) -> dict[str, int]:
    """Number of units of each layer."""
    counts: dict[str, int] = {}
    for layer, _ in units:
        counts[layer] = counts.get(layer, 0) + 1
    return counts
