"""`milan score`: scores of anyone's descriptions, on held-out images or against references."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milan_core.cli.common import add_compute, add_judge, start_torch
from milan_core.cli.early import check_column, check_device, check_images, check_network
from milan_core.cli.own_network import MODEL, add_network
from milan_core.core.errors import UserError
from milan_core.scoring.options import ScoreOptions

if TYPE_CHECKING:
    from milan_core.referee.submitted import Submitted

EXAMPLE = (
    "milan score --model torchvision:resnet18 --layers layer4 --images pictures"
    " --descriptions theirs.csv --judge openai/clip-vit-base-patch32 --out scores\n"
    "  milan score --table results/resnet_mini/referee/activations.safetensors"
    " --images resources/datasets/stickers_heldout --descriptions theirs.csv --judge oracle\n"
    "  milan score --descriptions mine.csv"
    " --references resources/data/milannotations/alexnet-imagenet.zip"
)
_log = logging.getLogger(__name__)
DEFAULTS = ScoreOptions()
BY_IMAGES = (
    "model",
    "table",
    "images",
    "judge",
    "described_by",
    "alpha",
    "fuzzing",
    "exemplars",
    "random_weights",
    "no_sanity",
)
BY_REFERENCES = ("count", "bertscore")


def register(subparsers: Any) -> None:
    """Add the command."""
    summary = "score a table of descriptions, from any source: on images, or against references"
    parser = subparsers.add_parser(
        "score",
        help=summary,
        description="Score a table of descriptions, from any source. With --model or --table: does "
        "each text tell on which images its unit fires? With --references: does it agree with "
        "annotations or known concepts?",
        epilog=f"examples:\n  {EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--descriptions",
        type=Path,
        required=True,
        help="CSV with the columns layer, unit, description; on images also weight, and several "
        "rows a unit",
    )
    parser.add_argument("--column", default="description", help="the column of the text")
    parser.add_argument(
        "--seed", type=int, default=0, help="of resamples, random texts and sanity tests"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="on images: a folder for scores.csv, leaderboard.csv, sanity.csv and summary.md; "
        "against references: scores.csv, every metric with its interval",
    )
    _add_images(parser.add_argument_group("on images (--model or --table)"))
    _add_references(parser.add_argument_group("against references (--references)"))
    add_compute(parser)
    parser.set_defaults(run=_run)


def _add_images(group: Any) -> None:
    group.add_argument("--model", metavar="FACTORY", help=MODEL)
    group.add_argument("--table", type=Path, help="activations.safetensors of a run")
    group.add_argument(
        "--images", type=Path, help="folder of pictures, or of a data set; best unseen ones"
    )
    add_network(group)
    add_judge(group, None)
    group.add_argument(
        "--described-by",
        metavar="MODEL",
        help="folder or name of the model that wrote the texts: it is refused as judge",
    )
    group.add_argument(
        "--heldout",
        choices=["all", "split"],
        default="all",
        help="split: score on the fifth of the images that `milan describe` holds out",
    )
    group.add_argument("--pool", choices=["max", "mean"], default="max", help="of a unit's map")
    group.add_argument(
        "--alpha",
        type=float,
        help="share of the images on which a unit fires; default: "
        "that of the run of --table, or chosen on images that do not score, where there are some "
        "(--heldout split), else 0.02",
    )
    group.add_argument(
        "--fuzzing",
        action="store_true",
        default=None,
        help="also ask the judge whether the marked part of an image is the one that fires",
    )
    group.add_argument(
        "--random-weights",
        action="store_true",
        default=None,
        help="also say what the best text of the table reaches on the network with random weights",
    )
    group.add_argument(
        "--no-sanity",
        action="store_true",
        default=None,
        help="leave out the sanity tests of the scores, which take most of the time for few rows",
    )
    group.add_argument(
        "--exemplars",
        type=Path,
        help="with --table and --fuzzing: exemplars.safetensors of the same images, for the masks",
    )
    group.add_argument(
        "--allow-small", action="store_true", help="fewer than 500 images; intervals are wide"
    )


def _add_references(group: Any) -> None:
    group.add_argument(
        "--references",
        type=Path,
        nargs="+",
        help="annotations.csv (layer, unit, summary), a set's folder or zip; and, or, truth.csv",
    )
    group.add_argument("--count", type=int, help="annotations a unit; units with fewer are left")
    group.add_argument(
        "--trained-on",
        type=Path,
        nargs="*",
        default=[],
        help="what the descriptions were trained on, as --references; constants come from it",
    )
    group.add_argument("--bertscore", type=Path, help="text encoder: its folder or asset")
    group.add_argument(
        "--bertscore-layer", type=int, default=DEFAULTS.bertscore_layer, help="its layer"
    )
    group.add_argument(
        "--bootstrap", type=int, default=DEFAULTS.bootstrap, help="resamples of the units"
    )


def _given(arguments: argparse.Namespace) -> Submitted:
    """The descriptions to score on images, when all that can be checked without torch is right."""
    from milan_core.referee.submitted import read_submitted

    if arguments.images is None:
        raise UserError("--images: give the pictures, or the data set, that descriptions score on")
    if arguments.out is not None and arguments.out.suffix:
        raise UserError(
            f"--out: got {arguments.out}, expected a folder for the files of the scores"
        )
    given = read_submitted(arguments.descriptions, arguments.column)
    if arguments.model:
        check_network(arguments)
    elif not arguments.table.is_file():
        raise UserError(f"table of activations not found: {arguments.table}")
    check_images(arguments.images, stored=True)
    for sentence in given.several():
        _log.warning("%s", sentence)
    return given


def _run(arguments: argparse.Namespace) -> None:
    check_device(arguments)
    on_images = bool(arguments.model or arguments.table)
    if on_images == bool(arguments.references):
        raise UserError(
            "milan score: give --model (or --table) and --images to score on images, or "
            "--references to compare with annotations" + ("; not both" if on_images else "")
        )
    foreign = BY_REFERENCES if on_images else BY_IMAGES
    if wrong := [name for name in foreign if getattr(arguments, name) is not None]:
        where = "--references" if on_images else "--model or --table"
        raise UserError(f"--{wrong[0].replace('_', '-')} belongs to {where}; leave it out")
    check_column(arguments.descriptions, arguments.column)
    if on_images:
        given = _given(arguments)
        start_torch(arguments)
        from milan_core.cli.score_images import score_on_images

        score_on_images(arguments, given)
    else:
        from milan_core.cli.score_references import score_on_references

        score_on_references(arguments)
