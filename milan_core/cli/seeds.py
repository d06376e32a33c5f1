"""`milan seeds`: means and deviations over the seeds of several runs, as Markdown."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from milan_core.core.errors import UserError

ONE_RUN = (
    "Captioners of one run (1 in the column runs) describe the same units: p is over their "
    "training alone, and what it calls clear holds for these units and their concepts. "
    "`generalization/paired.csv` of the run draws concepts as well. Pairs of the audit and edited "
    "networks of one run are different networks, each with its own value."
)
BEGIN, END = "<!-- milan seeds: begin -->", "<!-- milan seeds: end -->"


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "seeds",
        help="means and deviations over the seeds of several runs",
        description="Gather targets, captioners, baselines, analyses, audit pairs and edited "
        "networks of runs with different seeds: means, standard deviations over seeds, and paired "
        "differences with Student's intervals and p by Holm. What was not run has no row.",
        epilog="example: milan seeds results/seeds/* --into docs/results.md",
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="RESULTS")
    written = parser.add_mutually_exclusive_group()
    written.add_argument("--out", type=Path, help="write the tables here; default: print them")
    written.add_argument(
        "--into", type=Path, help=f"replace what stands between {BEGIN} and {END} in this file"
    )
    parser.set_defaults(run=_seeds)


def _seeds(arguments: argparse.Namespace) -> None:
    from milan_core.core.files import write_text
    from milan_core.experiments.replicates.gathered import Gathered

    text = "\n".join(_tables(Gathered(arguments.folders)))
    if arguments.into is not None:
        write_text(arguments.into, _replaced(arguments.into, text))
    elif arguments.out is not None:
        write_text(arguments.out, text + "\n")
    else:
        print(text)


def _replaced(path: Path, text: str) -> str:
    """The file with the tables between its marks."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; give one with {BEGIN} and {END}")
    before, begin, rest = path.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(f"{path} has no {BEGIN} followed by {END}; add both lines where tables go")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def _tables(gathered: Any) -> Iterator[str]:
    """Markdown of all tables, a line each."""
    from milan_core.scoring.verdicts import CLEARLY

    for table, rows in gathered.spreads().items():
        yield f"\n**{table}**: mean ± standard deviation over seeds\n"
        columns = list(dict.fromkeys(name for row in rows.values() for name in row))
        yield f"| what | runs | values | {' | '.join(columns)} |"
        yield "|---" * (3 + len(columns)) + "|"
        for name, row in rows.items():
            runs = max(one.runs for one in row.values())
            count = max(one.count for one in row.values())
            cells = (_spread(row[column]) if column in row else "" for column in columns)
            yield f"| {name} | {runs} | {count} | {' | '.join(cells)} |"
    yield (f"\nDifferences over seeds. {CLEARLY} p needs three independent values. {ONE_RUN}\n")
    for table, compared in gathered.compared().items():
        yield f"\n**{table}**\n"
        yield "| what | runs | values | difference | p, Holm | verdict |"
        yield "|---|---|---|---|---|---|"
        for one in compared:
            found = one.difference
            yield (
                f"| {one.name} | {one.runs} | {one.count} | {_interval(found)} | "
                f"{_p(found.adjusted)} | {_verdict(found)} |"
            )


def _spread(one: Any) -> str:
    """Mean and deviation; the mean alone of a single value."""
    deviation = "" if math.isnan(one.deviation) else f" ± {one.deviation:.3f}"
    return f"{one.mean:.3f}{deviation}"


def _interval(found: Any) -> str:
    if math.isnan(found.low):
        return f"{found.value:+.3f}"
    return f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def _p(value: float) -> str:
    if math.isnan(value):
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _verdict(found: Any) -> str:
    """Sentence of a row; for no difference, the one that could have been seen."""
    if math.isnan(found.adjusted):
        return "no test"
    if found.side:
        return "clearly above" if found.side > 0 else "clearly below"
    if math.isnan(found.seen):
        return "not told apart"
    return f"not told apart; {found.seen:.3f} would have been seen before adjustment"
