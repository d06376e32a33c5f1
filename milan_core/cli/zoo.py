"""`milan zoo`: networks whose units are known exactly; scores and describers tried on them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

EXAMPLES = """examples:
  milan zoo make zoo
  milan zoo make rare_zoo --shown 0.05
  milan zoo score --page docs/zoo.md
  milan zoo score --shown 0.05 0.005
  milan zoo rank --descriptions theirs.csv
  milan zoo rank --run results/zoo
"""


def register(subparsers: Any) -> None:
    """Add the command."""
    summary = "networks built by hand, whose units are known exactly"
    parser = subparsers.add_parser(
        "zoo",
        help=summary,
        description=summary,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="<verb>", required=True)
    _register_make(verbs)
    _register_score(verbs)
    _register_rank(verbs)
    _register_labels(verbs)


def _register_make(verbs: Any) -> None:
    summary = "write the zoo's pictures, tables and network into a folder"
    parser = verbs.add_parser("make", help=summary, description=summary)
    parser.add_argument("out", type=Path, metavar="DIR")
    parser.add_argument("--images", type=int, default=2000, help="scenes")
    parser.add_argument("--pairs", type=int, default=200, help="pairs that differ in one attribute")
    parser.add_argument("--seed", type=int, default=0, help="of the scenes")
    parser.add_argument(
        "--shown",
        type=float,
        default=1.0,
        help="share of the scenes that show anything; 0.05 makes every concept rare (2 %% at most)",
    )
    parser.set_defaults(run=_make)


def _make(arguments: argparse.Namespace) -> None:
    from milan_core.zoo.make import MakeOptions, make_zoo

    options = MakeOptions(arguments.images, arguments.pairs, arguments.seed, arguments.shown)
    make_zoo(arguments.out, options)
    print(arguments.out / "README.md")


def _register_score(verbs: Any) -> None:
    summary = "compare every score of the referee with exact truth"
    parser = verbs.add_parser("score", help=summary, description=summary)
    parser.add_argument("--seeds", type=int, default=5, help="repetitions on other scenes")
    parser.add_argument("--scenes", type=int, default=1000, help="scored scenes of a seed")
    parser.add_argument(
        "--shown",
        type=float,
        nargs="+",
        default=[],
        metavar="SHARE",
        help="only the sanity tests, on scenes of which these shares show anything",
    )
    parser.add_argument("--page", type=Path, help="Markdown page whose tables are replaced")
    parser.set_defaults(run=_score)


def _score(arguments: argparse.Namespace) -> None:
    from milan_core.core.errors import UserError
    from milan_core.zoo.published import verdicts_at_frequencies
    from milan_core.zoo.study import StudyOptions
    from milan_core.zoo.tables import Study, scores_block

    if arguments.seeds < 1 or arguments.scenes < 100:
        raise UserError("--seeds: give 1 or more; --scenes: give 100 or more")
    if not all(0 < share <= 1 for share in arguments.shown):
        raise UserError("--shown: give shares above 0, and at most 1")
    mark = "rare" if arguments.shown else "scores"
    page = read_page(arguments.page, mark) if arguments.page else ""
    if arguments.shown:
        from milan_core.zoo.rare import RareOptions, rare_block

        show(rare_block(arguments.shown, RareOptions()), arguments.page, page, mark)
        return
    options = StudyOptions(seeds=arguments.seeds, images=arguments.scenes)
    block = scores_block(Study(options), verdicts_at_frequencies(0))
    show(block, arguments.page, page, mark)


def _register_rank(verbs: Any) -> None:
    summary = "rank describers by what is true of the zoo's units: those of the tree, or tables"
    parser = verbs.add_parser("rank", help=summary, description=summary)
    parser.add_argument(
        "--descriptions",
        type=Path,
        nargs="+",
        default=[],
        help="tables (layer, unit, description) of describers that were shown the zoo; without, "
        "those of the tree that label from masks of concepts run",
    )
    parser.add_argument(
        "--run",
        type=Path,
        dest="results",
        metavar="RESULTS",
        help="results of the workflow with config/zoo.yaml: ranks its describers and its scores",
    )
    parser.add_argument("--network", default="zoo_network", help="the zoo's name in that run")
    parser.add_argument("--column", default="description", help="the column of the text")
    parser.add_argument("--images", type=int, default=800, help="scenes that describers see")
    parser.add_argument("--seeds", type=int, default=3, help="repetitions on other scenes")
    parser.add_argument("--page", type=Path, help="Markdown page whose tables are replaced")
    parser.set_defaults(run=_rank)


def _rank(arguments: argparse.Namespace) -> None:
    from milan_core.core.errors import UserError
    from milan_core.zoo.rank import Field, RankOptions, order_of_rows, rank_one, trivial
    from milan_core.zoo.submitted import read_tables, run_describers
    from milan_core.zoo.tables import describers_block

    if arguments.seeds < 1 or arguments.images < 100:
        raise UserError("--seeds: give 1 or more; --images: give 100 or more")
    if arguments.results and arguments.descriptions:
        raise UserError("--run and --descriptions: give one of them")
    mark = "run" if arguments.results else "describers"
    page = read_page(arguments.page, mark) if arguments.page else ""
    field = Field(RankOptions())
    if arguments.results:
        from milan_core.zoo.run import read_run
        from milan_core.zoo.tables import run_block

        run = read_run(arguments.results, arguments.network, field)
        show(run_block(run, field), arguments.page, page, mark)
        return
    if arguments.descriptions:
        ranked, notes = read_tables(arguments.descriptions, arguments.column, field)
    else:
        ranked, notes = run_describers(arguments.images, arguments.seeds, field)
    rows = [rank_one(name, said, field) for name, said in trivial(field).items()] + ranked
    block = describers_block(rows, order_of_rows(rows, field), notes)
    show(block, arguments.page, page, mark)


def _register_labels(verbs: Any) -> None:
    summary = "count the labels that rules give to ORs and to single concepts (milan labels)"
    parser = verbs.add_parser("labels", help=summary, description=summary)
    default = [100, 101, 102, 103, 104]
    parser.add_argument("--seeds", type=int, nargs="+", default=default, help="of the scenes")
    parser.add_argument("--judge", type=Path, help="folder of a mini judge beside the oracle")
    parser.add_argument("--page", type=Path, help="Markdown page whose tables are replaced")
    parser.set_defaults(run=_labels)


def _labels(arguments: argparse.Namespace) -> None:
    from milan_core.referee.judge import JudgeResources
    from milan_core.referee.judges.mini import Judge, load_folder
    from milan_core.zoo.several import SeveralOptions
    from milan_core.zoo.several_tables import several_block

    page = read_page(arguments.page, "labels") if arguments.page else ""
    judges: dict[str, Judge | None] = {"oracle": None}
    if arguments.judge:
        judges["mini judge"] = load_folder(arguments.judge, JudgeResources())
    block = several_block(judges, arguments.seeds, SeveralOptions())
    show(block, arguments.page, page, "labels")


def read_page(path: Path, mark: str) -> str:
    """A Markdown page; refuses one without the marks before the work begins."""
    from milan_core.core.errors import UserError
    from milan_core.zoo.tables import replaced

    if not path.is_file():
        raise UserError(f"--page: {path} is not there; give a Markdown page with marks for tables")
    page = path.read_text(encoding="utf-8")
    replaced(page, mark, "")
    return page


def show(block: str, path: Path | None, page: str, mark: str) -> None:
    """Put tables into the page at `path`, or print them where there is none."""
    from milan_core.core.files import write_text
    from milan_core.zoo.tables import replaced

    if path is None:
        print(block)
        return
    write_text(path, replaced(page, mark, block))
    print(path)
