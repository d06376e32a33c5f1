"""`milan score`: scores of anyone's descriptions against references."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import Any

from milan_core.scoring.options import ScoreOptions

EXAMPLE = (
    "milan score --descriptions mine.csv"
    " --references resources/data/milannotations/alexnet-imagenet.zip"
)
DEFAULTS = ScoreOptions()


def register(subparsers: Any) -> None:
    """Add the command."""
    summary = (
        "score a table of descriptions, from any source, against annotations or known concepts"
    )
    parser = subparsers.add_parser(
        "score",
        help=summary,
        description=summary,
        epilog=f"example:\n  {EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--descriptions",
        type=Path,
        required=True,
        help="CSV with the columns layer, unit, description",
    )
    parser.add_argument("--column", default="description", help="the column of the text")
    parser.add_argument(
        "--references",
        type=Path,
        nargs="+",
        required=True,
        help="annotations.csv (layer, unit, summary), a set's folder or zip; and, or, truth.csv",
    )
    parser.add_argument("--count", type=int, help="annotations a unit; units with fewer are left")
    parser.add_argument(
        "--trained-on",
        type=Path,
        nargs="*",
        default=[],
        help="what the descriptions were trained on, as --references; constants come from it",
    )
    parser.add_argument("--bertscore", type=Path, help="text encoder: its folder or asset")
    parser.add_argument(
        "--bertscore-layer", type=int, default=DEFAULTS.bertscore_layer, help="its layer"
    )
    parser.add_argument(
        "--bootstrap", type=int, default=DEFAULTS.bootstrap, help="resamples of the units"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="scores.csv: every metric with its interval")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from milan_core.core.identity import step_code
    from milan_core.core.options import parse
    from milan_core.core.records import recorded_command
    from milan_core.scoring.external import OURS, read_known, score_table, summary
    from milan_core.scoring.tables import Score, scored_descriptions, write_scores

    given, out = arguments, arguments.out
    numbers = {"bertscore_layer": given.bertscore_layer, "bootstrap": given.bootstrap}
    options = parse(ScoreOptions, numbers, "milan score")
    inputs = [given.descriptions, *given.references, *given.trained_on]
    with contextlib.ExitStack() as steps:
        if out:
            steps.enter_context(
                recorded_command(
                    "score",
                    out.with_name(f"{out.stem}.provenance.json"),
                    inputs=[*inputs, *([given.bertscore] if given.bertscore else [])],
                    options={
                        **numbers,
                        "column": given.column,
                        "count": given.count,
                        "seed": given.seed,
                    },
                    code=step_code("scoring.external:score_table"),
                )
            )
        scored, silent = scored_descriptions(given.descriptions, column=given.column)
        rows, notes = score_table(
            scored,
            read_known(given.references, given.count),
            read_known(given.trained_on) if given.trained_on else None,
            given.bertscore,
            options,
            given.seed,
        )
        if silent:
            rows.append(Score(OURS, "silent", len(silent), n=len(scored) + len(silent)))
            notes.append(
                f"{len(silent)} of {len(scored) + len(silent)} units show nothing to describe "
                f"({', '.join(sorted(set(silent.values())))}); they are left out"
            )
        if out:
            write_scores(out, rows)
    print("\n".join([*notes, "", *summary(rows)]))
