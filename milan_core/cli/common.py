"""Shared by the commands: argument types, help with examples, threads."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from milan_core.core.devices import start_device
from milan_core.core.files import json_of, read_text

Run = Callable[[argparse.Namespace], int | None]


def stage(subparsers: Any, name: str, summary: str) -> Any:
    """Add a stage; returns where its verbs are registered."""
    parser = subparsers.add_parser(name, help=summary, description=summary)
    return parser.add_subparsers(dest="verb", metavar="<verb>", required=True)


def verb(verbs: Any, name: str, summary: str, example: str, run: Run) -> argparse.ArgumentParser:
    """Add a verb with its example; returns the parser to add arguments to."""
    parser = verbs.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_compute(parser: argparse.ArgumentParser) -> None:
    """Arguments of verbs that run networks."""
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")


def start_torch(arguments: argparse.Namespace) -> None:
    """Apply --threads and --device to torch, and refuse a device that is not there."""
    start_device(arguments.device, arguments.threads)


def add_judge(group: Any, default: str | None) -> None:
    """Flags of verbs that look at images through a judge (`referee.judges.choice.named_judge`)."""
    group.add_argument(
        "--judge",
        default=default,
        help="oracle (composed scenes), folder of a trained judge, folder or hub name of a CLIP or "
        "SigLIP; default: oracle where the images have ground truth",
    )
    group.add_argument("--download", action="store_true", help="let the hub be asked for the judge")


def recorded_flags(arguments: argparse.Namespace, *left_out: str) -> dict[str, Any]:
    """The flags of a command as values of JSON, for its record."""
    return {
        key: str(value) if isinstance(value, Path) else value
        for key, value in vars(arguments).items()
        if key not in ("run", "log", "quiet", *left_out)
    }


def json_value(text: str) -> Any:
    """An argument that is JSON, or `@file` with JSON in it."""
    try:
        return json_of(read_text(text[1:]) if text.startswith("@") else text)
    except (ValueError, RecursionError) as error:
        message = f"not valid JSON: {error}"
        raise argparse.ArgumentTypeError(message) from None


def folder_of(path: Path) -> Path:
    """A data set is named by its folder or by its manifest."""
    return path.parent if path.suffix else path
