"""Arguments of the verbs that describe: which captioner, and how it decodes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.captioner.options import CAPTIONER_FILES, DOMAIN, DecodingOptions
from milan_core.core.options import parse


def add_captioner(parser: argparse.ArgumentParser) -> None:
    """Arguments that name a captioner and, for a published one, its encoder."""
    parser.add_argument(
        "--captioner", default="auto", help="auto, a folder, or a published milan-*.pth"
    )
    parser.add_argument(
        "--encoder-weights",
        type=Path,
        help="file of the captioner's encoder, where it lacks it or the file has moved",
    )


def add_decoding(parser: argparse.ArgumentParser) -> None:
    """Arguments of decoding; those left out are the captioner's, or the defaults."""
    parser.add_argument(
        "--strategy",
        choices=["rerank", "beam", "greedy", "sample"],
        help="default: rerank; beam where there is no p(d)",
    )
    parser.add_argument(
        "--mi",
        action=argparse.BooleanOptionalAction,
        help="subtract p(w) word by word (beam, greedy, sample); default: where there is p(d)",
    )
    parser.add_argument(
        *("--temperature", "--lambda"),
        dest="temperature",
        type=float,
        help="lambda, the weight of p(d), called `temperature` in configurations",
    )
    parser.add_argument("--beam-size", type=int, help="candidates a unit")
    parser.add_argument("--length", type=int, help="longest description in tokens, stop included")
    parser.add_argument(
        "--legacy",
        action="store_const",
        const=True,
        help="count one term of p(d) past the stop, as published",
    )
    parser.add_argument("--seed", type=int, help="of strategy sample")
    parser.add_argument(
        "--precision",
        choices=["float32", "bfloat16"],
        help="of the captioner's products; bfloat16 is for processors and GPUs that have it",
    )


def decoding_options(arguments: argparse.Namespace, given: Any = None) -> DecodingOptions:
    """The options of the flags, laid over `given`; fields that neither gives are not set."""
    flags = {name: getattr(arguments, name) for name in DecodingOptions.model_fields}
    chosen = {name: value for name, value in flags.items() if value is not None}
    return parse(DecodingOptions, {**(given or {}), **chosen}, "options of decoding")


def captioner_files(path: Path) -> list[Path]:
    """The files that descriptions depend on: a published file, or those of a captioner's folder."""
    files = [path / name for name in (*CAPTIONER_FILES, DOMAIN)]
    return [path] if path.is_file() else [file for file in files if file.is_file()]
