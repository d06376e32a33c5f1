"""`milan crowd`: tasks for crowd workers, and their answers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import stage, verb
from milan_core.core.errors import UserError


def register(subparsers: Any) -> None:
    """Add the command."""
    verbs = stage(subparsers, "crowd", "annotations by crowd workers: tasks, test, cleaning")
    parser = verb(
        verbs,
        "clean",
        "raw crowd answers to annotations.csv: rejected out, spelling, boilerplate",
        "milan crowd clean --results batch.csv --out annotations.csv",
        _clean,
    )
    parser.add_argument("--results", type=Path, required=True, help="the platform's CSV")
    parser.add_argument("--rules", type=Path, help="YAML instead of our lists")
    parser.add_argument("--words", type=Path, help="`word count` lines; turns spelling on")
    parser.add_argument("--workers", type=Path, help="YAML {worker id: [phrases to remove]}")
    parser.add_argument("--legacy", action="store_true", help="layer and unit from the image URL")
    parser.add_argument("--out", type=Path, required=True, help="annotations.csv")
    parser = verb(
        verbs,
        "hits",
        "one task a unit for a crowd platform: layer, unit, image_url_1 ...",
        "milan crowd hits --set mynet-photos --base-url https://example.org/pictures"
        " --out hits.csv",
        _hits,
    )
    parser.add_argument(
        "--set", type=Path, required=True, help="folder of the published format, or its zip"
    )
    parser.add_argument("--base-url", required=True, help="address that serves the pictures")
    parser.add_argument("--limit", type=int, help="only the first units")
    parser.add_argument(
        "--check", action="store_true", help="every address must open (file, http, https)"
    )
    parser.add_argument("--out", type=Path, required=True, help="CSV")
    parser = verb(
        verbs,
        "qualification",
        "the test before the tasks: YAML to question and answer XML and a mock-up page",
        "milan crowd qualification --test test.yaml --out qualification",
        _qualification,
    )
    parser.add_argument("--test", type=Path, required=True, help="YAML")
    parser.add_argument("--out", type=Path, required=True, help="folder")


def _clean(arguments: argparse.Namespace) -> None:
    from milan_core.annotations.crowd.cleaning import CleaningRules, clean, read_worker_rules
    from milan_core.annotations.crowd.spelling import FrequencySpeller
    from milan_core.annotations.records import write_annotations

    cleaned = clean(
        arguments.results,
        CleaningRules.load(arguments.rules) if arguments.rules else None,
        FrequencySpeller.load(arguments.words) if arguments.words else None,
        read_worker_rules(arguments.workers) if arguments.workers else None,
        legacy=arguments.legacy,
    )
    if not cleaned.annotations:
        message = f"{arguments.results}: none of {cleaned.answers} answers is left to write"
        raise UserError(message)
    write_annotations(arguments.out, cleaned.annotations)
    print(
        f"{arguments.out}: {len(cleaned.annotations)} of {cleaned.answers} answers "
        f"({cleaned.rejected} rejected, {cleaned.empty} empty, {cleaned.changed} changed, "
        f"{cleaned.corrections.total()} words corrected, "
        f"{cleaned.worker_rules.total()} changed for their worker)"
    )


def _hits(arguments: argparse.Namespace) -> None:
    from milan_core.annotations.crowd.tables import hit_rows, opens, write_hits
    from milan_core.annotations.released import open_set

    annotation_set = open_set(arguments.set, None)
    counts = {layer.ids.shape[1] for layer in annotation_set.layers.values()}
    if len(counts) != 1:
        message = f"{arguments.set}: layers have {sorted(counts)} exemplars, tasks need one number"
        raise UserError(message)
    rows = hit_rows(annotation_set.units, arguments.base_url, counts.pop(), arguments.limit)
    write_hits(arguments.out, rows, opens if arguments.check else None)
    print(f"{arguments.out}: {len(rows)} tasks")


def _qualification(arguments: argparse.Namespace) -> None:
    from milan_core.annotations.crowd.qualification import read_qualification, write_qualification
    from milan_core.core.folders import new_folder

    test = read_qualification(arguments.test)
    with new_folder(arguments.out) as out:
        write_qualification(test, out)
    print(f"{arguments.out / 'mockup.html'}: look at it before you upload questions.xml")
