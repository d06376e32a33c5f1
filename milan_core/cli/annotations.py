"""`milan annotations`: look at, complete and write sets of annotations (MILANNOTATIONS)."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from milan_core.cli.common import (
    folder_of,
    stage,
    verb,
)

SET_HELP = "folder of the published format, or its zip"


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "annotations", "inspect, merge and export sets of annotations")
    _register_published(verbs)
    _register_export(verbs)


def _register_published(verbs: Any) -> None:
    parser = verb(
        verbs,
        "inspect",
        "print the contents of a MILANNOTATIONS set or group; checks every file's shape",
        "milan annotations inspect --key base --root resources/data/milannotations",
        _inspect,
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--set", type=Path, help=SET_HELP)
    which.add_argument("--key", help="a published set or group, or a folder below --root")
    parser.add_argument("--root", type=Path, default=Path(), help="folder above all sets")
    parser.add_argument("--count", type=int, default=3, help="with --set; 0: any number")
    parser.add_argument("--pack", action="store_true", help="write bit-packed copies of the masks")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser = verb(
        verbs,
        "merge",
        "add images that may not be published, from your copy of ImageNet",
        "milan annotations merge --set resources/data/milannotations/alexnet-imagenet.zip"
        " --images resources/data/imagenet/val",
        _merge,
    )
    parser.add_argument("--set", type=Path, required=True, help=SET_HELP)
    parser.add_argument(
        "--images", type=Path, required=True, help="class folders, or the folder above val/"
    )
    parser.add_argument(
        "--transform",
        choices=["crop", "squash"],
        default="crop",
        help="crop: as the masks were made; squash: as the published merge did",
    )
    parser.add_argument(
        "--expect", type=int, default=50_000, help="images that the ids count; 0: any number"
    )
    parser.add_argument("--threads", type=int, default=1, help="images decoded at once")


def _register_export(verbs: Any) -> None:
    parser = verb(
        verbs,
        "export",
        "write exemplars and texts in the published format; ImageNet's images are left out",
        "milan annotations export --key mynet/photos --exemplars exemplars.safetensors"
        " --dataset DIR --texts descriptions.csv --out mynet-photos.zip",
        _export,
    )
    parser.add_argument("--key", required=True, help="<network>/<data set>; decides on images")
    parser.add_argument("--exemplars", type=Path, required=True, help="exemplars.safetensors")
    parser.add_argument("--dataset", type=Path, required=True, help="folder of the probe images")
    _add_texts(parser)
    parser.add_argument(
        "--images",
        choices=["auto", "include", "leave-out"],
        default="auto",
        help="auto: leave out those of ImageNet, by --key",
    )
    parser.add_argument("--size", type=int, default=224, help="side of images and masks")
    parser.add_argument("--extras", action="store_true", help="also write activations.csv")
    parser.add_argument("--out", type=Path, required=True, help="a folder, or a file x.zip")
    parser = verb(
        verbs,
        "pictures",
        "one PNG an exemplar, darkened outside the mask; with texts also a catalogue data.json",
        "milan annotations pictures --set resources/data/milannotations/biggan-places365.zip"
        " --out pictures",
        _pictures,
    )
    parser.add_argument("--set", type=Path, required=True, help=SET_HELP)
    parser.add_argument("--grid", action="store_true", help="one PNG a unit instead, to look at")
    _add_texts(parser, required=False)
    parser.add_argument("--key", default="", help="<network>/<data set>, for data.json")
    parser.add_argument("--base-url", default="", help="address that will serve --out")
    parser.add_argument("--out", type=Path, required=True, help="folder")


def _add_texts(parser: argparse.ArgumentParser, required: bool = True) -> None:
    parser.add_argument(
        "--texts", type=Path, required=required, help="annotations.csv or descriptions.csv"
    )
    parser.add_argument(
        "--column", default="description", help="of --texts: description (default) or summary"
    )


def _inspect(arguments: argparse.Namespace) -> None:
    from milan_core.annotations.facts import facts_text, set_facts
    from milan_core.annotations.released import open_set, open_sets

    if arguments.set:
        opened = {"": open_set(arguments.set, arguments.count or None)}
    else:
        opened = open_sets(arguments.key, arguments.root)
    facts = []
    for key, annotation_set in opened.items():
        if arguments.pack:
            annotation_set.pack()
        facts.append(set_facts(annotation_set, key))
    print(json.dumps(facts, indent=1) if arguments.json else "\n".join(map(facts_text, facts)))


def _merge(arguments: argparse.Namespace) -> None:
    from milan_core.annotations.merge import merge_images
    from milan_core.annotations.released import open_set

    results = merge_images(
        open_set(arguments.set, None),
        arguments.images,
        arguments.transform,
        expected=arguments.expect or None,
        threads=arguments.threads,
    )
    for layer, outcome in results.items():
        print(f"{layer}: images {outcome}")


def _export(arguments: argparse.Namespace) -> None:
    from milan_core.annotations.export import export_set, share_images, zip_set
    from milan_core.annotations.records import read_annotations
    from milan_core.core.folders import new_folder
    from milan_core.exemplars.store import load_exemplars
    from milan_core.images.store import open_dataset

    dataset = open_dataset(folder_of(arguments.dataset))
    shared = share_images(arguments.key, arguments.images, dataset.classes)
    exemplars = load_exemplars(arguments.exemplars)
    texts = read_annotations(arguments.texts, arguments.column)
    out: Path = arguments.out
    options = {"size": arguments.size, "extras": arguments.extras}
    options["images"] = dataset.images if shared else None
    if out.suffix.lower() != ".zip":
        with new_folder(out) as folder:
            export_set(exemplars, texts, folder, **options)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as scratch:
            export_set(exemplars, texts, scratch, **options)
            zip_set(scratch, out, images=shared)
    print(f"{out}: {len(texts)} texts, {'with' if shared else 'without'} images")


def _pictures(arguments: argparse.Namespace) -> None:
    from milan_core.annotations.catalog import write_catalog
    from milan_core.annotations.pictures import write_grids, write_pictures
    from milan_core.annotations.records import read_unit_texts
    from milan_core.annotations.released import open_set
    from milan_core.core.numbers import counted

    annotation_set = open_set(arguments.set, None)
    if arguments.grid or not arguments.texts:
        write = write_grids if arguments.grid else write_pictures
        print(f"{arguments.out}: {write(annotation_set, arguments.out)} new pictures")
        return
    texts = read_unit_texts(arguments.texts, arguments.column)
    first = {unit: of_unit[0] for unit, of_unit in texts.items()}
    key, base_url = arguments.key, arguments.base_url
    count = write_catalog(annotation_set, first, arguments.out, key=key, base_url=base_url)
    print(f"{arguments.out / 'data.json'}: {counted(count, 'unit')}")
