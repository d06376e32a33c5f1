"""`milan endpoint verdicts`: the work behind the command."""

from __future__ import annotations

import argparse
from typing import Any

from milan_core.cli.common import recorded_flags
from milan_core.core.errors import UserError
from milan_core.core.files import write_csv
from milan_core.core.identity import step_code
from milan_core.core.options import parse
from milan_core.core.recording import recorded_command
from milan_core.core.step import Compute
from milan_core.endpoint.cassette import Cassette
from milan_core.endpoint.client import Endpoint
from milan_core.endpoint.options import EndpointOptions
from milan_core.referee.judge import JudgedImages
from milan_core.referee.judges.answerer import EndpointAnswerer, question_of
from milan_core.referee.judges.choice import named_judge
from milan_core.referee.judges.verdict import QUESTION, Judge
from milan_core.referee.submitted import read_submitted
from milan_core.referee.table import open_with_images, scored_images
from milan_core.referee.verdicts import COLUMNS, FEWEST, summary, verdicts


def ask_verdicts(arguments: argparse.Namespace, server: dict[str, Any]) -> str:
    """Ask, write the table with its record, and return a summary; `--dry-run`: the cost alone."""
    options = parse(EndpointOptions, server, "milan endpoint")
    given = read_submitted(arguments.descriptions, arguments.column)
    draws = arguments.draws
    if draws < FEWEST:
        raise UserError(f"--draws: got {draws}, expected {FEWEST} or more")
    table, dataset = open_with_images(arguments.table, arguments.images)
    positions, heldout = scored_images(table, 1)
    images = JudgedImages(dataset, table.ids[positions])
    cassette = Cassette(arguments.cassette, options.model, replay=arguments.replay)
    endpoint = Endpoint(options, cassette)
    if arguments.dry_run:
        most = min(draws, len(positions))
        one = question_of(dataset.images[table.ids[positions[0]]], QUESTION.format(text="x" * 40))
        spend = endpoint.estimate([one])
        texts = given.texts
        return (
            f"{texts} texts x at most {most} images = {texts * most} questions of about "
            f"{spend.asked} tokens and at most {spend.answered} answered"
            + ("" if spend.price is None else f", price at most {spend.price * texts * most:.4g}")
        )
    compute = Compute(device=arguments.device, threads=arguments.threads)
    cheap = named_judge(arguments.judge, dataset, compute)
    with recorded_command(
        "endpoint verdicts",
        arguments.out.with_suffix(".provenance.json"),
        inputs=[arguments.table, arguments.descriptions],
        options=recorded_flags(arguments),
        code=step_code("referee.verdicts:verdicts"),
    ):
        judge = Judge(EndpointAnswerer(endpoint), endpoint.open)
        rows = list(
            verdicts(
                *(table, positions, images, judge, cheap, given),
                seed=arguments.seed,
                draws=draws,
                pool=arguments.pool,
            )
        )
        write_csv(arguments.out, COLUMNS, [row.cells() for row in rows])
    seen = "held-out images" if heldout else "images that describers may have seen"
    return f"{summary(rows)} on {len(positions)} {seen}\n{endpoint.spent}"
