"""Tables and sentences of docs/results.md, from the results folder of a finished run.

    python -m benchmarks.results_page results --run "commit 0123abc, 2026-01-31, x86-64" \\
        --into docs/results.md

What stands between the two marks of the page is replaced; without `--into` it is printed. Sentences
and captions are those of the sections that the experiments wrote (`results/*/section.json`), which
follow from the numbers by rules with tests; tables have the cells of the report. Nothing else is
said, so a number of the page cannot differ from the run.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from benchmarks.results_cells import ahead, bert, correlations, extra, gain, shares, write
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, write_text
from milan_core.core.numbers import added
from milan_core.core.section import Column, Section, Table, file_of, read_section
from milan_core.core.tables import grouped
from milan_core.report.sections import cell

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
Row = Mapping[str, str]
Keep = Callable[[Row], bool]


class Listed(NamedTuple):
    """A table of a section: the columns that are shown, in this order, and the rows."""

    file: str
    columns: Sequence[str] = ()
    keep: Keep = lambda row: True


class Crossed(NamedTuple):
    """A table with a row for each value of one column and a column for each of another."""

    file: str
    caption: str
    rows: str
    columns: str
    cell: Callable[[Sequence[Row]], str]
    keep: Keep = lambda row: True


METHODS = "baselines/table.csv"
TITLES = {  # of columns that are called alike where others stand between them
    "random_p_holm": "p of one more random order, Holm",
    "paired_p_holm": "p paired by order, Holm",
    "matched_p_holm": "p of one more such order, Holm",
    "lambda": "λ",
    "accuracy_0": "right",
    "accuracy_1": "right",
    "accuracy_2": "right",
}
SHOWN: dict[str, Sequence[Listed | Crossed]] = {
    "referee": (
        Listed(
            "summary.csv",
            ("describer", "correlation", "auprc", "lead", "units", "abstained", "unscored"),
            lambda row: row["model"] == "all networks" and row["judge"] == "oracle",
        ),
        Crossed(
            "referee/summary.csv",
            "Correlation by network, oracle / mini judge; a dash where a judge cannot say.",
            *("describer", "model", correlations),
        ),
    ),
    "abstention": (Listed("summary.csv"), Listed("coverage.csv")),
    "generalization": (
        Listed(
            "transfer.csv",
            (
                *("experiment", "train", "test", "accuracy", "accuracy_constant"),
                *("accuracy_oracle", "accuracy_greedy", "lead_of_pmi", "lead_holm", "judged"),
                *("concepts", "false_names", "bert_f", "bert_auc", "bleu_short"),
            ),
        ),
        Listed(
            "paired.csv",
            (
                *("experiment", "train", "test", "within", "here", "cost", "holm", "units"),
                *("concepts", "cost_apart", "units_apart"),
            ),
        ),
        Listed("overlap.csv"),
    ),
    "baselines": (
        Crossed(
            METHODS,
            "Concept accuracy in %, with 95% intervals that draw concepts. Of every method and "
            "baseline; the first constants were chosen in training, the oracle constant here.",
            *("method", "model", shares),
        ),
        Crossed(
            "baselines/table2.csv",
            "PMI is ahead in concept accuracy by, points (p by Holm over networks and methods; "
            "none over all networks together).",
            *("method", "model", ahead),
        ),
        Crossed(
            METHODS,
            "BERTScore F (AUC: whether it tells right from wrong descriptions, chance 0.5).",
            *("method", "model", bert),
        ),
        Crossed(
            METHODS,
            "Names of other concepts and words, per description; BLEU-2 and BLEU-4 as published.",
            *("method", "model", extra),
        ),
    ),
    "controls": (
        Crossed(
            "generalization/lambda.csv",
            "Concept accuracy in % by the weight λ, the gain over λ = 0 in points with its "
            "interval, and distinct descriptions.",
            *("lambda", "split", gain),
            lambda row: row["split"].startswith("without_"),
        ),
    ),
    "decoding": (
        Listed(
            "table.csv",
            (
                *("strategy", "beams", "lambda", "concept_accuracy", "gain", "half", "other"),
                *("false_names", "mean_words", "bleu-1-2", "bert_score-f", "distinct"),
            ),
            lambda row: row["strategy"] not in ("beam", "rerank") or row["beams"] in ("10", "50"),
        ),
    ),
    "variants": (Listed("table.csv"),),
    "analyze": (
        Listed(
            "summary.csv",
            (
                *("model", "criterion", "matching", "area", "random_difference", "random_p_holm"),
                *("layer_matched_difference", "paired_p_holm", "matched_p_holm"),
                "layer_matched_seen",
            ),
        ),
    ),
    "audit": (Listed("changes.csv", (), lambda row: row["layer"] == "all"),),
    "edit": (Listed("summary.csv"),),
    "captioners": (),
}


def page(results: Path, run: str) -> str:
    """Markdown of everything that the sections of a run say.

    Args:
        results: results folder of a finished run.
        run: its commit, date and machine, in words.

    Raises:
        UserError: a folder without sections.

    """
    found = [(path, read_section(path)) for path in sorted(results.glob("*/section.json"))]
    if not found:
        raise UserError(
            f"{results}: expected the results folder of a finished run, got none of its "
            "sections (*/section.json); run snakemake first"
        )
    found.sort(key=lambda pair: (pair[1].order, pair[1].name))
    blocks = [facts(results, run), *targets(results)]
    said: set[str] = set()
    for path, section in found:
        new = [text for text in section.paragraphs if text not in said]
        said.update(new)
        blocks += of_section(results, path, replace(section, paragraphs=new))
    return "\n\n".join(blocks)


def facts(results: Path, run: str) -> str:
    """The run, and what its records say of jobs and time."""
    paths = sorted([*results.rglob("provenance.json"), *results.rglob("*.provenance.json")])
    seconds = [
        float(record["cpu_seconds"])
        for record in (json.loads(path.read_text("utf-8")) for path in paths)
        if isinstance(record, dict) and "cpu_seconds" in record
    ]
    return (
        f"Run: {run}. The records of its {len(seconds)} jobs with results add up to "
        f"{added(seconds) / 60:.0f} CPU-minutes."
    )


def targets(results: Path) -> Iterator[str]:
    """What was trained here, on images that training did not see."""
    rows = [
        (path.parent.parent.name, row["dataset"], f"{100 * float(row['accuracy']):.1f}%", images)
        for path in sorted(results.glob("*/target/accuracy.csv"))
        for row in read_csv(path, ("dataset", "accuracy", "images"))
        for images in [row["images"]]
    ]
    if rows:
        yield "## Trained networks"
        yield "Share of right answers, or what the line says, on images that training did not see."
        yield table(("network", "data set", "accuracy", "images"), rows)


def of_section(results: Path, path: Path, section: Section) -> Iterator[str]:
    """Title, sentences and the chosen tables of a section."""
    yield f"## {section.title}"
    yield "\n".join(f"- {text}" for text in section.paragraphs)
    items = {Path(item.path).name: item for item in section.items if isinstance(item, Table)}
    for shown in SHOWN.get(section.name, ()):
        if isinstance(shown, Crossed):
            if (results / shown.file).is_file():
                yield shown.caption
                yield crossed(read_csv(results / shown.file), shown)
        elif (item := items.get(shown.file)) is not None:
            file = file_of(path, item)
            yield f"{item.caption}{left_out(read_csv(file), shown)}"
            yield listed(file, item, shown)


def left_out(rows: Sequence[Row], shown: Listed) -> str:
    """How many rows of a table are shown, where some are not."""
    kept = sum(map(shown.keep, rows))
    return f" {kept} of {len(rows)} rows are shown." if kept < len(rows) else ""


def listed(file: Path, item: Table, shown: Listed) -> str:
    """A table of the report, some of its columns."""
    by_name = {column.name: column for column in item.columns}
    columns = [by_name[name] for name in shown.columns or by_name if name in by_name]
    rows = [row for row in read_csv(file) if shown.keep(row)]
    kept = [column for column in columns if any(_filled(row, column) for row in rows)]
    texts = [[_text(row, column) for column in kept] for row in rows]
    return table([TITLES.get(column.name, column.title) for column in kept], texts)


def _filled(row: Row, column: Column) -> bool:
    return row.get(column.name, "") != ""


def _text(row: Row, column: Column) -> str:
    text, interval = cell(row, column)
    if column.name == "train" and text.count("+"):
        text = f"{text.count('+') + 1} networks"
    return f"{write(text) if column.style == 'text' else text} {interval}".strip()


def crossed(rows: Iterable[Row], shown: Crossed) -> str:
    """A table with a column for each network, or what `shown.columns` names."""
    kept = [row for row in rows if shown.keep(row)]
    lines = list(dict.fromkeys(row[shown.rows] for row in kept))
    names = list(dict.fromkeys(row[shown.columns] for row in kept))
    places = grouped(kept, lambda row: (row[shown.rows], row[shown.columns]))
    texts = [[shown.cell(places.get((line, name), [])) for name in names] for line in lines]
    filled = [(write(line), *cells) for line, cells in zip(lines, texts, strict=True) if any(cells)]
    titles = [TITLES.get(shown.rows, shown.rows), *names]
    return table(titles, [[text or "–" for text in line] for line in filled])


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; bars in cells are escaped."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(
        f"| {' | '.join(str(text).replace('|', chr(92) + '|') for text in line)} |"
        for line in lines
    )


def replaced(text: str, block: str, path: Path) -> str:
    """A page with the block between its marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(f"{path}: expected {BEGIN} followed by {END}, got none; add both lines")
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{after}"


def main() -> None:
    """Print the block, or put it into a page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--run", required=True, help="commit, date and machine of the run")
    parser.add_argument("--into", type=Path, help="page whose marked block is replaced")
    arguments = parser.parse_args()
    block = page(arguments.results, arguments.run)
    if arguments.into is None:
        print(block)
    else:
        text = arguments.into.read_text("utf-8")
        write_text(arguments.into, replaced(text, block, arguments.into))


if __name__ == "__main__":
    main()
