"""`milan verify`, `milan provenance`, `milan digests`: files as written, and what made them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from milan_core.core.digests import digest_table, stage_digests
from milan_core.core.errors import UserError
from milan_core.core.records import find_record, verify
from milan_core.core.stale import stale
from milan_core.images.store import check_unrecorded


def register(subparsers: Any) -> None:
    """Add the commands."""
    parser = subparsers.add_parser(
        "verify",
        help="compare files with the digests that were recorded when they were written",
        description="Compare every recorded file below folders with its digest, and the inputs of "
        "every step with what it read: a page that is older than its inputs is said. Exit code 1 "
        "where something differs.",
        epilog="example: milan verify results",
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.set_defaults(run=_verify)
    parser = subparsers.add_parser(
        "provenance",
        help="what made a file: step, inputs, options, versions, time",
        description="Print the record of the step that wrote a file.",
        epilog="example: milan provenance results/resnet_mini/descriptions.csv",
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--chain", action="store_true", help="the steps behind its inputs as well")
    parser.set_defaults(run=_provenance)
    parser = subparsers.add_parser(
        "digests",
        help="one short digest a step of a run, to compare two machines",
        description="Print one digest for each step over what its jobs have written, as recorded. "
        "Files that hold times, and pages, do not count.",
        epilog="example: milan digests results resources",
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.set_defaults(run=_digests)


def _verify(arguments: argparse.Namespace) -> int:
    total = 0
    problems: list[str] = []
    for folder in arguments.folders:
        if not folder.is_dir():
            raise UserError(f"{folder} is not a folder; give the results of a run")
        count, found = verify(folder)
        total, problems = total + count, problems + found + stale(folder)
        for manifest in sorted(folder.rglob("manifest.json")):
            try:
                total += check_unrecorded(manifest.parent)
            except UserError as error:
                problems.append(str(error))
    for problem in problems:
        print(problem)
    print(f"{total} recorded files compared, {len(problems)} problems")
    return 1 if problems or not total else 0


def _digests(arguments: argparse.Namespace) -> None:
    print(digest_table(stage_digests(arguments.folders)))


def _provenance(arguments: argparse.Namespace) -> None:
    queue, seen = [arguments.file], set()
    while queue:
        path = queue.pop(0)
        written = find_record(path)
        if written is None and path == arguments.file:
            raise UserError(f"{path} has no record beside it: no step of a run here wrote it")
        if written is None or written.path in seen:
            continue
        seen.add(written.path)
        if not arguments.chain:
            print(json.dumps(written.record, indent=1, sort_keys=True, ensure_ascii=False))
            return
        record = written.record
        print(f"{record['step']:<24} {record['wall_seconds']:>9.1f} s  {written.path}")
        queue += [Path(name) for name in record["inputs"]]
