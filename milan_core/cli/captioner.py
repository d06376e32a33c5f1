"""`milan captioner convert`: a published captioner as a folder of safetensors and JSON."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import stage, verb


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "captioner", "published captioners")
    parser = verb(
        verbs,
        "convert",
        "a published milan-*.pth to safetensors and JSON; nothing in it is executed",
        "milan captioner convert --release resources/milan/milan-base.pth"
        " --out resources/milan/milan-base",
        _convert,
    )
    parser.add_argument("--release", type=Path, required=True, help="milan-*.pth")
    parser.add_argument(
        "--encoder-weights", type=Path, help="torchvision's, for a file without its encoder"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder")


def _convert(arguments: argparse.Namespace) -> None:
    from milan_core.captioner.convert import convert_release
    from milan_core.core.folders import new_folder
    from milan_core.core.recording import recorded_command
    from milan_core.core.records import NAME

    with (
        new_folder(arguments.out) as out,
        recorded_command("captioner.convert", out / NAME, inputs=[arguments.release]),
    ):
        converted = convert_release(arguments.release, out, arguments.encoder_weights)
    print(f"{arguments.out}: {converted}")
    if converted.without_encoder:
        print(f"without its encoder: {converted.without_encoder}")
