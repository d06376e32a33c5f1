"""`milan endpoint`: models behind OpenAI-compatible servers, and their verdicts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from milan_core.cli.common import add_compute, stage, start_torch, verb
from milan_core.core.errors import UserError

SERVER = "--url http://127.0.0.1:8000/v1 --model Qwen/Qwen3-VL-4B-Instruct"
CHECK = f"milan endpoint check {SERVER}"
VERDICTS = (
    f"milan endpoint verdicts {SERVER} --cassette answers.jsonl"
    " --table results/resnet_mini/referee/activations.safetensors"
    " --images resources/datasets/stickers_heldout --descriptions theirs.csv --out verdicts.csv"
)


def register(subparsers: Any) -> None:
    """Add the command."""
    verbs = stage(subparsers, "endpoint", "ask a vision-language model behind a server")
    summary = "see whether a server sees pictures, gives log-probabilities, keeps to JSON"
    check = verb(verbs, "check", summary, CHECK, _check)
    _add_server(check, cassette=False)
    summary = "score descriptions by a model's yes-or-no answers about few images each"
    parser = verb(verbs, "verdicts", summary, VERDICTS, _verdicts)
    _add_server(parser, cassette=True)
    parser.add_argument(
        "--table", type=Path, required=True, help="activations.safetensors of a run"
    )
    parser.add_argument("--images", type=Path, required=True, help="the data set of the table")
    parser.add_argument(
        "--descriptions", type=Path, required=True, help="CSV: layer, unit, description"
    )
    parser.add_argument("--column", default="description", help="the column of the text")
    parser.add_argument(
        "--judge", default="auto", help="cheap judge that says which images matter, as milan score"
    )
    parser.add_argument("--draws", type=int, default=180, help="images drawn for a text")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    parser.add_argument("--pool", choices=["max", "mean"], default="max", help="of a unit's map")
    parser.add_argument("--out", type=Path, required=True, help="verdicts.csv")
    parser.add_argument("--dry-run", action="store_true", help="print the cost, ask nothing")
    add_compute(parser)


def _add_server(parser: argparse.ArgumentParser, *, cassette: bool) -> None:
    parser.add_argument("--url", required=True, help="base address, up to and with /v1")
    parser.add_argument("--model", required=True, help="name of the model there")
    parser.add_argument(
        "--key-variable", default="", help="environment variable that holds the key"
    )
    parser.add_argument("--concurrency", type=int, default=4, help="requests at the same time")
    parser.add_argument("--per-minute", type=float, help="most requests a minute")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for an answer")
    parser.add_argument("--price-in", type=float, help="price of a million tokens asked")
    parser.add_argument("--price-out", type=float, help="price of a million tokens answered")
    parser.add_argument(
        "--cassette",
        type=Path,
        required=cassette,
        help="file that keeps every answer; a run that goes on asks nothing twice",
    )
    parser.add_argument("--replay", action="store_true", help="answer from the cassette alone")


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    names = ("url", "model", "key_variable", "concurrency", "per_minute", "timeout")
    return {name: getattr(arguments, name) for name in (*names, "price_in", "price_out")}


def _check(arguments: argparse.Namespace) -> None:
    import tempfile

    from milan_core.core.options import parse
    from milan_core.endpoint.capabilities import probe
    from milan_core.endpoint.cassette import Cassette
    from milan_core.endpoint.client import Endpoint
    from milan_core.endpoint.options import EndpointOptions

    options = parse(EndpointOptions, {**_options(arguments), "attempts": 2}, "milan endpoint")
    with tempfile.TemporaryDirectory() as scratch:
        path = arguments.cassette or Path(scratch) / "cassette.jsonl"
        cassette = Cassette(path, options.model, replay=arguments.replay)
        with Endpoint(options, cassette).open() as endpoint:
            able = probe(endpoint)
            print(f"model              {options.model}")
            for name, label in (
                ("images", "pictures"),
                ("logprobs", "log-probabilities"),
                ("schema", "JSON schema"),
            ):
                problem = able.problems.get(name)
                print(f"{label:18s} {'yes' if problem is None else f'no: {problem}'}")
            print(f"spent              {endpoint.spent}")


def _verdicts(arguments: argparse.Namespace) -> None:
    start_torch(arguments)
    from milan_core.cli.verdicts import ask_verdicts

    if arguments.out.suffix != ".csv":
        raise UserError(f"--out: got {arguments.out}, expected a file that ends in .csv")
    print(ask_verdicts(arguments, _options(arguments)), file=sys.stderr)
    if not arguments.dry_run:
        print(arguments.out)
