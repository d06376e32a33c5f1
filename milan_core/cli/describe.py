"""`milan describe`: units of a network, of an annotation set, or of stored features."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import add_compute, json_value, start_torch
from milan_core.cli.decoding import add_captioner, add_decoding
from milan_core.cli.early import check_device, check_images, check_network, check_units
from milan_core.cli.mine import add_mining
from milan_core.cli.own_network import MODEL, add_network
from milan_core.cli.reliability import add_reliability

EXAMPLES = """examples:
  milan describe --model my_net.py:build --weights w.pt --images pictures --layers 'conv*' --out d
  milan describe --model my_net.py:build --images broden/images --layers 'conv*' \\
      --describer netdissect --concepts broden --out d
  milan describe --set resources/data/milannotations/alexnet-imagenet.zip \\
      --images resources/data/imagenet/val --captioner resources/milan/milan-base.pth --out d
  milan describe --features d/features.safetensors --captioner c --strategy greedy --out e
"""


def register(subparsers: Any) -> None:
    """Add the command."""
    summary = "describe the units of a network, of an annotation set, or of stored features"
    parser = subparsers.add_parser(
        "describe",
        help=summary,
        description=f"{summary[:1].upper()}{summary[1:]}, without a configuration file. Writes "
        "descriptions.csv and, of describers with candidates, those or their ranking; of a network "
        "also its exemplars and a page to browse. A run that fails leaves nothing in --out.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--model",
        metavar="FACTORY",
        help=MODEL,
    )
    source.add_argument("--set", type=Path, help="annotation set: its folder or zip")
    source.add_argument("--features", type=Path, help="features.safetensors of units")
    parser.add_argument(
        "--images", type=Path, help="folder of images; of a set, those that its ids count"
    )
    parser.add_argument(
        "--describer",
        default="auto",
        help="auto (default): the best that is at hand for these images, and it says which: pool "
        "and verify, milan as published, or words (for photographs; docs/photographs.md); or a "
        "name, or module:Class or file.py:Class of your own",
    )
    parser.add_argument(
        "--judge",
        default="auto",
        help="of describers that read one (pool, linear): folder of a trained judge, folder or hub "
        "name of a CLIP or SigLIP; auto: the one that the captioner's run has trained, else --clip",
    )
    parser.add_argument(
        "--download", action="store_true", help="let the hub be asked for the judge"
    )
    parser.add_argument(
        "--clip", metavar="PATH", help="CLIP or SigLIP that looks for words: a folder or hub name"
    )
    parser.add_argument(
        "--force", action="store_true", help="use a captioner outside its domain all the same"
    )
    parser.add_argument(
        "--options", type=json_value, default={}, help="of the describer: JSON, or @FILE"
    )
    parser.add_argument("--out", required=True, type=Path, help="folder")
    add_compute(parser)
    captioner = parser.add_argument_group("captioner and decoding (milan, pool)")
    add_captioner(captioner)
    add_decoding(captioner)
    _add_network(parser.add_argument_group("network (--model)"))
    _add_set(parser.add_argument_group("annotation set (--set)"))
    add_reliability(parser.add_argument_group("reliable descriptions (docs/abstention.md)"))
    parser.set_defaults(run=_run)


def _add_network(group: Any) -> None:
    add_network(group)
    add_mining(group)
    group.add_argument(
        "--concepts",
        type=Path,
        help="masks of concepts in the images, for describers that label: a Broden folder, or a "
        "concepts.safetensors",
    )


def _add_set(group: Any) -> None:
    group.add_argument(
        "--transform",
        choices=["crop", "squash"],
        default="crop",
        help="how its images come to 224 pixels; crop: as the masks were made; squash: as the "
        "published merge did",
    )
    group.add_argument(
        "--expect", type=int, default=50_000, help="images that the ids count; 0: any number"
    )
    group.add_argument(
        "--count", type=int, default=3, help="units with fewer texts are left out; 0: every unit"
    )
    group.add_argument("--keep-features", action="store_true", help="write them to --out as well")


def _run(arguments: argparse.Namespace) -> None:
    check_device(arguments)
    check_units(arguments)
    if arguments.model:
        check_network(arguments)
        check_images(arguments.images)
    start_torch(arguments)
    from milan_core.cli.line import describe_source

    describe_source(arguments)
