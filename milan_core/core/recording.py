"""Write provenance records around a step or a command: check its inputs, run it, record it.

What records say, and how they are read and compared, is in `milan_core.core.records`.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from milan_core.core.attempts import Attempts
from milan_core.core.errors import UserError, is_damage, place_of, reason_of
from milan_core.core.files import canonical_json, text_hash, write_json
from milan_core.core.hub import commits_read
from milan_core.core.lock import claimed, folder_lock
from milan_core.core.no_number import no_number
from milan_core.core.records import (
    FORMAT,
    NAME,
    VERSION,
    Digest,
    Records,
    check_inputs,
    counts_as_output,
    digests,
    files_of,
)
from milan_core.core.step import Compute, Step

_PACKAGES = (
    "milan-workflow",
    "numpy",
    "pillow",
    "torch",
    "torchvision",
    "timm",
    "tokenizers",
    "transformers",
    "sacrebleu",
    "snakemake",
    "spacy",
)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that can change a result."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def record_path(step: Step) -> Path:
    """The path of a step's record: as declared, inside its folder, or beside its outputs."""
    if step.record is not None:
        return step.record
    folders = step.paths("folder")
    return (folders[0] if folders else step.paths("output")[0].parent) / NAME


@contextlib.contextmanager
def recorded(step: Step, compute: Compute, code: str) -> Iterator[dict[str, Any]]:
    """Check a step's inputs, run the block, and write the record when it ended without error.

    The block may add facts to the dictionary that it is given (a data set's fingerprint, say).
    Time is summed over killed attempts of the same step. A job that a killed workflow left behind
    publishes nothing once the same job has been started again (`core.lock.claimed`).
    """
    path, folders = record_path(step), step.paths("folder")
    beside = folders[0] if folders else path
    attempted = Attempts(beside.with_name(f".{beside.name}.attempts.json"))
    with claimed(beside), attempted as attempts:
        inputs, facts = check_inputs(step.paths("input"), compute.threads), dict[str, Any]()
        with _foreign_inputs(step):
            yield facts
        outputs = [item for item in step.paths("output", "folder") if item != step.record]
        facts = {"compute": compute.model_dump(), **attempts.summary(), **_hub(), **facts}
        given = step.settings(), code, facts
        write_record(path, step.step_name, inputs, outputs, *given, threads=compute.threads)


@contextlib.contextmanager
def _foreign_inputs(step: Step) -> Iterator[None]:
    """Turn an error into one sentence where inputs may be its cause: files that no record lists.

    A person made or edited them. An error over files that steps wrote, and that are as their
    records say, is a bug of ours and passes.
    """
    try:
        yield
    except (UserError, OSError):
        raise
    except Exception as error:
        if problem := no_number(error):
            raise UserError(problem) from error
        foreign = [path for path in step.paths("input") if not _is_recorded(path)]
        of_gpu = type(error).__name__ == "OutOfMemoryError"
        if of_gpu or not foreign or not is_damage(error):
            raise
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise UserError(
            f"{step.step_name} cannot use {', '.join(map(str, foreign[:3]))}{more} "
            f"({reason_of(error)}, at {place_of(error)}); no record of a step lists it: correct "
            "it, or run the step that writes it again; MILAN_TRACEBACK=1 shows the traceback"
        ) from error


def _is_recorded(path: Path) -> bool:
    """Whether records of steps list the file, or every file of the folder, `path`."""
    records = Records()
    return all(records.of(item) is not None for item in files_of(path))


@contextlib.contextmanager
def recorded_command(
    name: str, path: Path, *, inputs: Sequence[Path] = (), options: Any = None, code: str = ""
) -> Iterator[dict[str, Any]]:
    """As `recorded`, for a command of a person's that is no step.

    The record at `path` lists every file of its folder, or, where it is not called
    `provenance.json`, the files whose names begin as its own does.
    """
    attempted = Attempts(path.with_name(f".{path.name}.attempts.json"))
    with folder_lock(path), attempted as attempts:
        checked, facts = check_inputs(inputs), dict[str, Any]()
        yield facts
        outputs = [path.parent]
        if path.name != NAME:
            stem = path.name.removesuffix(f".{NAME}")
            items = [
                item for item in path.parent.iterdir() if f"{item.name}.".startswith(f"{stem}.")
            ]
            outputs = [item for item in sorted(items) if counts_as_output(item)]
        facts = {**attempts.summary(), **_hub(), **facts}
        write_record(path, name, checked, outputs, options, code, facts)


def _hub() -> dict[str, Any]:
    """The commits that were read from the hub, for the record; empty where none was."""
    return {"hub": commits} if (commits := commits_read()) else {}


def write_record(
    path: Path,
    name: str,
    inputs: Mapping[str, Digest],
    outputs: Sequence[Path],
    options: Any,
    code: str,
    facts: Mapping[str, Any],
    threads: int = 1,
) -> None:
    """Write the record of what `name` has made; digests of outputs are taken here."""
    written = {
        _relative(item, path): seen
        for output in outputs
        for item, seen in digests(output, threads).items()
    }
    record = {
        "format": FORMAT,
        "version": VERSION,
        "step": name,
        "inputs": dict(inputs),
        "outputs": written,
        "options": options,
        "config_hash": text_hash(canonical_json(options)),
        "code": code,
        "versions": versions(),
        "machine": platform.machine(),
        **facts,
    }
    record = json.loads(canonical_json(record))  # as it will be read
    write_json(path, {**record, "sha256": text_hash(canonical_json(record), 64)})


def _relative(item: Path, record: Path) -> str:
    """An output's path as its record names it: relative to the record, so folders may move."""
    return Path(os.path.relpath(item.resolve(), record.parent.resolve())).as_posix()
