"""`milan mine`: exemplars of a network of your own, without a configuration file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from milan_core.cli.common import add_compute, recorded_flags, start_torch
from milan_core.cli.early import check_device, check_images, check_network
from milan_core.cli.own_network import (
    MODEL,
    add_network,
    entry_file,
    network_facts,
    own_network,
    require_layers,
)
from milan_core.core.errors import UserError
from milan_core.core.numbers import counted
from milan_core.exemplars.options import MiningOptions, Pool

if TYPE_CHECKING:
    from milan_core.exemplars.store import ExemplarSet
    from milan_core.images.store import Dataset
    from milan_core.networks.options import NetworkSpec
    from milan_core.networks.zoo import LoadedModel

EXAMPLE = (
    "milan mine --model my_net.py:build --weights w.pt --images pics --layers 'conv*'"
    " --out my_net\n"
    "  milan mine export --exemplars my_net/exemplars.safetensors --dataset my_net/dataset"
    " --out published"
)
DEFAULTS = MiningOptions()


def register(subparsers: Any) -> None:
    """Add the command."""
    summary = "exemplars of one network: the images and regions that activate each unit most"
    parser = subparsers.add_parser(
        "mine",
        help=summary,
        description=summary,
        epilog=f"example:\n  {EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", metavar="FACTORY", help=MODEL)
    parser.add_argument("--images", type=Path, help="folder of images")
    add_network(parser)
    add_mining(parser)
    parser.add_argument("--out", type=Path, help="folder; gets exemplars.safetensors")
    add_compute(parser)
    parser.set_defaults(run=_mine)
    verbs = parser.add_subparsers(dest="verb", metavar="[export | import]")
    _register_export(verbs)
    _register_import(verbs)


def add_mining(parser: Any) -> None:
    """Arguments of mining, and of reading the images for it."""
    parser.add_argument(
        "--on-error",
        choices=["stop", "skip"],
        default="stop",
        help="what to do with an image that cannot be read",
    )
    parser.add_argument(
        "--range",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="values of gray images with more than 8 bits that are black and white",
    )
    parser.add_argument(
        "--geometry",
        choices=["crop", "squash", "keep"],
        default="crop",
        help="how images come to the size of the input: the shorter side to 256/224 of it, then a "
        "center crop; both sides to it; or as they are",
    )
    parser.add_argument("--k", type=int, default=DEFAULTS.k, help="exemplars a unit")
    parser.add_argument(
        "--quantile",
        type=float,
        default=DEFAULTS.quantile,
        help="of the unit's own activations: the level of its masks",
    )


def _register_export(verbs: Any) -> None:
    summary = "write the published per-layer files: images.npy, masks.npy, ids.csv, ..."
    export = verbs.add_parser("export", help=summary, description=summary)
    export.add_argument("--exemplars", type=Path, required=True, help="exemplars.safetensors")
    export.add_argument("--dataset", type=Path, required=True, help="folder of the probe images")
    export.add_argument("--size", type=int, default=224, help="side of images and masks")
    export.add_argument("--out", type=Path, required=True, help="folder")
    export.set_defaults(run=_export)


def _register_import(verbs: Any) -> None:
    summary = "read the published per-layer files, as the authors' code and `export` write them"
    importing = verbs.add_parser(
        "import",
        help=summary,
        description=f"{summary}; masks keep their stored size and level, images are not copied.",
        epilog="example: milan mine import exemplars/resnet18 --out old",
    )
    importing.add_argument(
        "folder", type=Path, help="holds LAYER/ids.csv, activations.csv, masks.npy"
    )
    importing.add_argument(
        "--layers", nargs="+", metavar="LAYER", help="default: all in the folder"
    )
    importing.add_argument("--out", type=Path, required=True, help="gets exemplars.safetensors")
    importing.set_defaults(run=_import)


def _mine(arguments: argparse.Namespace) -> None:
    check_device(arguments)
    if missing := [name for name in ("model", "images", "out") if not getattr(arguments, name)]:
        flags = " and ".join(f"--{name}" for name in missing)
        raise UserError(f"milan mine needs {flags}; milan mine --help shows an example")
    check_network(arguments)
    check_images(arguments.images)
    start_torch(arguments)
    from milan_core.core.folders import new_folder
    from milan_core.core.identity import step_code
    from milan_core.core.recording import recorded_command
    from milan_core.core.records import NAME

    options = recorded_flags(arguments, "command", "verb")
    inputs = [*filter(None, [entry_file(arguments.model)])]
    code = step_code("exemplars.mine:mine_dataset")
    with (
        new_folder(arguments.out) as out,
        recorded_command("mine", out / NAME, inputs=inputs, options=options, code=code) as record,
    ):
        opened = open_own(arguments, out)
        exemplars = mine_own(arguments, opened, out)
        record["network"] = network_facts(opened.network)
        record["images"], record["probe"] = image_facts(opened.images), exemplars.probe
    print(f"exemplars: {arguments.out / 'exemplars.safetensors'}")


def image_facts(dataset: Dataset) -> dict[str, Any]:
    """Describe the images for a record."""
    passed = dataset.manifest.get("passed_over", {})
    return {"fingerprint": dataset.fingerprint, "count": len(dataset), "passed_over": passed}


class Opened(NamedTuple):
    """The network of a command line, and the images that it is shown."""

    spec: NetworkSpec
    network: LoadedModel
    images: Dataset


def open_own(arguments: argparse.Namespace, out: Path) -> Opened:
    """Load the network of a command line, and read its images into `out`.

    `arguments` has those of `add_network`, `add_mining` and `add_compute`, model and images.
    """
    from milan_core.networks.zoo import load_network

    _options(arguments)  # its mistakes come before the work
    spec = require_layers(own_network(arguments))
    network = load_network(spec)
    return Opened(spec, network, own_images(arguments, network, out))


def mine_own(
    arguments: argparse.Namespace,
    opened: Opened,
    out: Path,
    pools: tuple[Pool, ...] = (),
    *,
    heldout: bool = False,
) -> ExemplarSet:
    """Mine what `open_own` has opened, and write the exemplars into `out`.

    The `pools` of every unit in every image are kept in memory (`ExemplarSet.table`); with
    `heldout` a fifth of the images is there only.
    """
    from milan_core.core.options import narrowed
    from milan_core.exemplars.mine import mine_dataset
    from milan_core.exemplars.options import MiningRun
    from milan_core.networks.options import RunOptions

    options = _options(arguments, pools, heldout=heldout)
    run = MiningRun(
        **narrowed(opened.spec, RunOptions).model_dump(),
        device=arguments.device,
        threads=arguments.threads,
    )
    exemplars = mine_dataset(opened.network, opened.images, options, run, name=arguments.model)
    exemplars.save(out / "exemplars.safetensors")
    return exemplars


def _options(
    arguments: argparse.Namespace, pools: tuple[Pool, ...] = (), *, heldout: bool = False
) -> MiningOptions:
    from milan_core.core.options import parse

    given = {"k": arguments.k, "quantile": arguments.quantile, "sample": 0}
    further = {"table": pools, "heldout": "split" if heldout else "none"}
    return parse(MiningOptions, {**given, **further}, "milan mine")


def own_images(arguments: argparse.Namespace, network: LoadedModel, out: Path) -> Dataset:
    """The images of --images at the size of the network's input, built in `out`."""
    from milan_core.core.options import parse
    from milan_core.images.kinds.folder import Folder, FolderOptions

    if arguments.images is None:
        raise UserError("--images: give the folder of images that the network is shown")
    size = max(network.input.shape()[1:])
    options = {
        "path": str(arguments.images),
        "size": size,
        "geometry": arguments.geometry,
        "on_error": arguments.on_error,
        "range": arguments.range,
    }
    images = Folder(options=parse(FolderOptions, options, "--images"))
    return images.build("images", out / "dataset", {}, arguments.threads)


def _export(arguments: argparse.Namespace) -> None:
    from milan_core.core.folders import new_folder
    from milan_core.exemplars.store import load_exemplars
    from milan_core.images.store import open_dataset

    images = open_dataset(arguments.dataset).images
    with new_folder(arguments.out) as out:
        load_exemplars(arguments.exemplars).export_legacy(out, images, arguments.size)


def _import(arguments: argparse.Namespace) -> None:
    from milan_core.core.folders import new_folder
    from milan_core.core.recording import recorded_command
    from milan_core.core.records import NAME
    from milan_core.exemplars.published_import import import_legacy

    options = recorded_flags(arguments, "command", "verb")
    read = ("ids.csv", "activations.csv", "masks.npy", "units.npy", "levels.npy")
    inputs = sorted(path for name in read for path in arguments.folder.glob(f"*/{name}"))
    with (
        new_folder(arguments.out) as out,
        recorded_command("mine import", out / NAME, inputs=inputs, options=options),
    ):
        imported = import_legacy(arguments.folder, arguments.layers)
        imported.save(out / "exemplars.safetensors")
    units = sum(imported.units.values())
    found = counted(len(imported.layers), "layer"), counted(units, "unit")
    print(f"{arguments.out / 'exemplars.safetensors'}: {', '.join(found)}")
