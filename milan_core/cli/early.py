"""Check the arguments of a command before torch is imported, which takes seconds."""

from __future__ import annotations

import argparse
from pathlib import Path

from milan_core.cli.common import start_torch
from milan_core.cli.own_network import own_network, require_layers
from milan_core.core.errors import UserError
from milan_core.core.files import numbered_rows
from milan_core.images.listing import check_pictures


def check_device(arguments: argparse.Namespace) -> None:
    """Refuse a device that is not there before anything is read; only the CPU needs no torch."""
    if arguments.device not in (None, "cpu"):
        start_torch(arguments)


def check_network(arguments: argparse.Namespace) -> None:
    """Check --model with the arguments of `add_network`, without loading the network.

    Raises:
        UserError: for an entry that cannot be read, no layers, and weights that are not there.

    """
    require_layers(own_network(arguments, say=False))
    if arguments.weights and not Path(arguments.weights).expanduser().exists():
        raise UserError(
            f"weights not found: {arguments.weights}; --weights names a state dictionary "
            "(.safetensors, .pth, .pt)"
        )


def check_units(arguments: argparse.Namespace) -> None:
    """Check the paths of --set and --features.

    Raises:
        UserError: for a set that is not there, and for features that are no file.

    """
    annotations, features = arguments.set, arguments.features
    if annotations and not annotations.exists():
        raise UserError(
            f"annotation set not found: {annotations}; --set names its folder or its zip"
        )
    if features and not features.is_file():
        found = "it is a folder" if features.is_dir() else "not found"
        raise UserError(
            f"--features {features}: {found}; give the features.safetensors of a finished run"
        )


def check_column(table: Path, column: str) -> None:
    """Check that a table of descriptions has the column of the text, which --column names.

    Raises:
        UserError: for another header, and for a file that is no table.

    """
    for _, row in numbered_rows(table, ("layer", "unit")):
        if column not in row:
            raise UserError(
                f"{table}: no column `{column}`; its columns: {', '.join(row)}; name yours with "
                "--column"
            )
        return


def check_images(images: Path | None, *, stored: bool = False) -> None:
    """Check the folder of --images: its pictures, or with `stored` a data set too.

    Raises:
        UserError: where no folder is given, or it is missing or has no picture.

    """
    from milan_core.images.store import open_dataset

    if images is None:
        raise UserError("--images: give the folder of images that the network is shown")
    if stored and (images / "manifest.json").is_file():
        open_dataset(images)
    else:
        check_pictures(images.expanduser())
