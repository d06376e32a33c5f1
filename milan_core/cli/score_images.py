"""`milan score --model` and `--table`: is each description true of its unit, on images?"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from milan_core.cli.common import recorded_flags
from milan_core.cli.own_network import entry_file, own_network, passing, require_layers
from milan_core.core.errors import UserError
from milan_core.core.folders import new_folder
from milan_core.core.identity import step_code
from milan_core.core.numbers import counted
from milan_core.core.options import parse
from milan_core.core.progress import told
from milan_core.core.recording import recorded_command
from milan_core.core.records import NAME
from milan_core.core.step import Compute
from milan_core.exemplars.store import load_exemplars
from milan_core.images.store import Dataset
from milan_core.networks.zoo import load_network
from milan_core.referee.alpha import read_alpha
from milan_core.referee.call import folder_dataset
from milan_core.referee.fuzzing import Marks
from milan_core.referee.held_out import HeldOutScores, ScoredImages, score_submitted
from milan_core.referee.judge import Judge
from milan_core.referee.judges.choice import AUTO, named_judge
from milan_core.referee.options import ScoringOptions
from milan_core.referee.scored import COUNTED
from milan_core.referee.scoring import SMALLEST, ScoringRun, score_network_on
from milan_core.referee.submitted import Submitted
from milan_core.referee.submitted_section import SECTION
from milan_core.referee.table import FEWEST, open_with_images, scored_images


def score_on_images(arguments: argparse.Namespace, given: Submitted) -> None:
    """Score the given descriptions, print the summary, and write the files to --out."""
    alpha = _alpha(arguments)
    settings = {} if alpha is None else {"alpha": alpha}
    fewest = SMALLEST if arguments.allow_small else FEWEST
    options = parse(ScoringOptions, {**settings, "fewest": fewest}, "milan score")
    if arguments.out is None:
        with tempfile.TemporaryDirectory() as scratch:
            print(_scores(arguments, given, options, Path(scratch)).summary())
        return
    recorded = recorded_flags(arguments, "references", "trained_on", "bertscore_layer", "bootstrap")
    with (
        new_folder(arguments.out) as out,
        recorded_command(
            "score",
            out / NAME,
            inputs=list(_inputs(arguments)),
            options=recorded,
            code=step_code("referee.held_out:score_submitted"),
        ),
    ):
        with tempfile.TemporaryDirectory() as scratch:
            result = _scores(arguments, given, options, Path(scratch))
        names = result.save(out)
        names.append(_page(out))
    print(result.summary())
    for name in names:
        print(arguments.out / name)


def _alpha(arguments: argparse.Namespace) -> float | None:
    """The alpha that is asked for, else that of the run whose table is scored; None: neither."""
    if arguments.alpha is None and arguments.table:
        chosen = _chosen_in_run(arguments.table)
        return read_alpha(chosen) if chosen else None
    return arguments.alpha


def _chosen_in_run(table: Path) -> Path | None:
    """RESULTS/referee/alpha.json beside RESULTS/MODEL/referee/activations.safetensors."""
    folders = table.resolve().parents
    chosen = folders[2] / "referee/alpha.json" if len(folders) > 2 else None
    return chosen if chosen and chosen.is_file() else None


def _page(out: Path) -> str:
    """Write the page of the scores, as in the report of a run; returns its name."""
    from milan_core.report.options import ReportRun
    from milan_core.report.pages import ReportFiles, build_report

    run = ReportRun(title="Scores of descriptions")
    build_report(run, ReportFiles([out / SECTION], [out]), out / "report")
    return "report/index.html"


def _inputs(arguments: argparse.Namespace) -> Iterator[Path]:
    yield arguments.descriptions
    if arguments.model and (entry := entry_file(arguments.model)):
        yield entry
    if arguments.table:
        yield arguments.table
        if arguments.alpha is None and (chosen := _chosen_in_run(arguments.table)):
            yield chosen
    if arguments.exemplars:
        yield arguments.exemplars


def _scores(
    arguments: argparse.Namespace, given: Submitted, options: ScoringOptions, scratch: Path
) -> HeldOutScores:
    """The scores, with a line on how long they took."""
    start = time.monotonic()
    compute = Compute(device=arguments.device, threads=arguments.threads)
    if arguments.table:
        result = _of_table(arguments, given, options, compute)
    else:
        result = _of_network(arguments, given, options, compute, scratch)
    scored = counted(sum(row.status in COUNTED for row in result.rows), "unit")
    told(f"scored {scored} in {time.monotonic() - start:.0f} s")
    return result


def _of_network(
    arguments: argparse.Namespace,
    given: Submitted,
    options: ScoringOptions,
    compute: Compute,
    scratch: Path,
) -> HeldOutScores:
    """Scores on the activations of a network, which is shown the images."""
    network = require_layers(own_network(arguments))
    loaded = load_network(network)
    dataset = folder_dataset(arguments.images, loaded, scratch / "dataset", arguments.threads)
    judge = _judge(arguments, dataset, compute)
    how = ScoringRun(
        seed=arguments.seed,
        passes=passing(arguments, network),
        heldout=arguments.heldout,
        pool=arguments.pool,
        name=arguments.model,
        choose_alpha="alpha" not in options.model_fields_set,
        fuzzing=bool(arguments.fuzzing),
        random_weights=bool(arguments.random_weights),
        tested=not arguments.no_sanity,
    )
    return score_network_on(loaded, dataset, judge, given, options, how)


def _of_table(
    arguments: argparse.Namespace, given: Submitted, options: ScoringOptions, compute: Compute
) -> HeldOutScores:
    """Scores on the activations that a run kept."""
    if arguments.random_weights:
        raise UserError("--random-weights needs the network: give --model in place of --table")
    table, dataset = open_with_images(arguments.table, arguments.images)
    positions, fair = scored_images(table, 0)
    if len(positions) < options.fewest:
        raise UserError(
            f"{arguments.table}: {len(positions)} images to score on, expected {options.fewest} or "
            "more (--allow-small: from 20, wide intervals)"
        )
    judge = _judge(arguments, dataset, compute)
    settled = "alpha" in options.model_fields_set  # asked for, or chosen in the run
    return score_submitted(
        ScoredImages(table, dataset, positions, arguments.pool, fair),
        *(judge, given, options, arguments.seed),
        choosing=np.flatnonzero(~table.heldout) if fair and not settled else None,
        marks=_marks(arguments, dataset),
        tested=not arguments.no_sanity,
    )


def _marks(arguments: argparse.Namespace, dataset: Dataset) -> Marks | None:
    """The masks of the exemplars of a run, where fuzzing is asked for."""
    if not arguments.fuzzing:
        return None
    if arguments.exemplars is None:
        raise UserError(
            "--fuzzing: a table of activations has no masks; give the exemplars of the same images "
            "with --exemplars, or the network with --model"
        )
    exemplars = load_exemplars(arguments.exemplars)
    if exemplars.meta["dataset"] != dataset.fingerprint:
        raise UserError(
            f"--exemplars: {arguments.exemplars} was mined from other images than "
            f"{arguments.images}; give the table and the images of the mining pass, or the network "
            "with --model"
        )
    return Marks(exemplars)


def _judge(arguments: argparse.Namespace, dataset: Dataset, compute: Compute) -> Judge:
    return named_judge(
        arguments.judge or AUTO,
        dataset,
        compute,
        download=arguments.download,
        described_by=arguments.described_by or "",
    )
