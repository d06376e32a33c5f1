"""`milan score --references`: agreement of descriptions with annotations or known concepts."""

from __future__ import annotations

import argparse
import contextlib

from milan_core.core.identity import step_code
from milan_core.core.options import parse
from milan_core.core.recording import recorded_command
from milan_core.scoring.external import OURS, read_known, score_table, summary
from milan_core.scoring.options import ScoreOptions
from milan_core.scoring.tables import Score, scored_descriptions, write_scores


def score_on_references(arguments: argparse.Namespace) -> None:
    """Score, print the main metrics, and write every one to --out."""
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
