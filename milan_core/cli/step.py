"""`milan step NAME`: run one step of the workflow; its flags are derived from its declaration."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from milan_core.cli.parsers import Parser
from milan_core.core.errors import UserError
from milan_core.core.files import RepeatedKeyError, json_of, read_text
from milan_core.core.identity import step_code
from milan_core.core.options import sentences
from milan_core.core.recording import recorded
from milan_core.core.reproducible import check_held
from milan_core.core.step import Compute, Step, StepField, all_steps, find_step, step_fields


def register(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "step", help="one step of the workflow, as the rules call it", add_help=False
    )
    parser.add_argument("step", nargs="?", help="its name, such as edit.network; none: list them")
    parser.add_argument("-h", "--help", action="store_true", help="list the steps")
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.step is None:
        for name, step in sorted(all_steps().items()):
            print(f"{name:<28} {first_line(step)}")
        return
    step = find_step(arguments.step)
    given = vars(step_parser(step).parse_args(arguments.rest))
    compute = Compute(device=given.get("device", "cpu"), threads=given["threads"])
    execute(_filled(step, given), compute, given["code"])


def read_step(words: Sequence[str]) -> Step:
    """The step that `milan step` would run for these words: its name, and its flags."""
    step = find_step(words[0])
    return _filled(step, vars(step_parser(step).parse_args(words[1:])))


def _filled(step: type[Step], given: Mapping[str, Any]) -> Step:
    values = {field.name: _value(field, given[field.name]) for field in step_fields(step)}
    return step(**{name: value for name, value in values.items() if value is not None})


def execute(step: Step, compute: Compute, code: str | None = None) -> None:
    """Run a step and write its provenance record."""
    started = check_held(compute.device)
    if step.runs_networks:
        started |= compute.start()
    with recorded(step, compute, code or step_code(step.step_name)) as facts:
        facts.update(started)
        facts.update(step.run(compute) or {})


def first_line(step: type[Step]) -> str:
    """The first line of a step's docstring."""
    return (step.__doc__ or "").strip().splitlines()[0]


def step_parser(step: type[Step]) -> argparse.ArgumentParser:
    """The parser of a step's flags."""
    parser = Parser(prog=f"milan step {step.step_name}", description=step.__doc__)
    for field in step_fields(step):
        parser.add_argument(field.flag, **_argument(field))
    if step.runs_networks:
        parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--code", help="identity of the code, for the record; default: computed")
    return parser


def _argument(field: StepField) -> dict[str, Any]:
    needed = field.required
    text = field.description or None
    if field.role == "option":
        return {"required": needed, "metavar": _metavar(field.annotation), "help": text}
    kind = "FOLDER" if field.role == "folder" else "FILE"
    facts = {"type": Path, "required": needed, "metavar": kind, "help": text}
    if field.many:
        return {**facts, "nargs": "+" if needed else "*"}
    return facts if needed else {**facts, "nargs": "?"}


def _metavar(annotation: Any) -> str:
    return {str: "TEXT", int: "N", float: "X", bool: "true|false"}.get(annotation, "JSON|@FILE")


def _check_keys(field: StepField, text: str) -> None:
    """Refuse a key that occurs twice; whatever else is wrong with a text, pydantic says."""
    try:
        json_of(text)
    except RepeatedKeyError as error:
        raise UserError(f"{field.flag}: {error}") from None
    except (ValueError, RecursionError):
        return


def _value(field: StepField, given: Any) -> Any:
    """A flag's value in the type of its field; None where the flag was left out."""
    if given is None or field.role != "option":
        return given
    text = read_text(Path(given[1:]), field.flag) if given.startswith("@") else given
    adapter = TypeAdapter(field.constrained)
    try:
        if _metavar(field.annotation) != "JSON|@FILE":
            return adapter.validate_strings(text)
        _check_keys(field, text)
        return adapter.validate_json(text)
    except ValidationError as error:
        raise UserError(sentences(error, field.constrained, field.flag)) from None
