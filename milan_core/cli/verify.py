"""`milan verify`, `milan provenance`, `milan digests`: files as written, and what made them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from milan_core.core.contents import files_below
from milan_core.core.digests import digest_table, stage_digests
from milan_core.core.errors import UserError
from milan_core.core.records import NAME, Records, Written, read_record, run_folder, verify
from milan_core.core.stale import stale


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
    parser.add_argument("file", type=Path, help="a file, or a folder that a step wrote")
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
    from milan_core.images.store import check_unrecorded

    total = 0
    problems: list[str] = []
    for folder in arguments.folders:
        if not folder.is_dir():
            raise UserError(f"{folder} is not a folder; give the results of a run")
        count, found = verify(folder)
        total, problems = total + count, problems + found + stale(folder)
        for manifest in sorted(one for one in files_below(folder) if one.name == "manifest.json"):
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
    if not arguments.file.exists():
        raise UserError(f"{arguments.file} is not there")
    queue, seen, gone = [arguments.file], set(), set()
    while queue:
        path = queue.pop(0)
        found = _records(path)
        if not found and path == arguments.file:
            raise UserError(f"{path} has no record beside it: no step of a run here wrote it")
        for written in (one for one in found if one.path not in seen):
            seen.add(written.path)
            record = written.record
            if not arguments.chain:
                print(json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False))
                return
            print(f"{record['step']:<24} {record['wall_seconds']:>9.1f} s  {written.path}")
            top = run_folder(path, record["inputs"])
            queue += [top / name for name in record["inputs"] if (top / name).exists()]
            gone |= {name for name in record["inputs"] if not (top / name).exists()}
    if gone:
        print(f"not here, nor what made it: {', '.join(sorted(gone))}")


def _records(path: Path) -> list[Written]:
    """The record of a file, and that of a folder: in it, or those of the files that it holds."""
    own = path / NAME if path.is_dir() else path
    if own.name.endswith(NAME) and own.is_file():
        return [Written(read_record(own), own, {})]
    records = Records()
    found = (records.of(item) for item in ([path] if path.is_file() else records.listed(path)))
    return [*{one.path: one for one in found if one is not None}.values()]
