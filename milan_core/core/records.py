"""Provenance records: what made a file, from which inputs, and the digests of what was written.

Every step writes one record, beside its outputs or inside its output folder (`recorded`). A record
names step, options, code, versions, machine, time and memory, and the SHA-256 of every input and
output. Before a step runs, its inputs are compared with the records of the steps that wrote them
(`check_inputs`), so a damaged or edited file is noticed by the next job that reads it. The cost is
one reading of the inputs, about 1 s per 1.5 GB.

`verify` checks a whole folder, `find_record` answers what made a file.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from milan_core.core.attempts import Attempts
from milan_core.core.errors import UserError, is_damage, place_of, reads, reason_of
from milan_core.core.files import canonical_json, file_sha256, read_json, text_hash, write_json
from milan_core.core.hub import commits_read
from milan_core.core.lock import claimed, folder_lock
from milan_core.core.no_number import no_number
from milan_core.core.progress import tracked
from milan_core.core.step import Compute, Step

FORMAT, VERSION = "milan-provenance", 3
OLDER = 2  # without a digest of the record itself
NAME = "provenance.json"
_PACKAGES = (
    "milan-workflow",
    "numpy",
    "torch",
    "torchvision",
    "transformers",
    "snakemake",
    "spacy",
)
ABOVE = 5  # folders above a file in which a record may list it: atlases nest files of experiments

Digest = dict[str, Any]  # sha256, bytes; of a folder also files


class Written(NamedTuple):
    """One file of a record: its digest, and the record."""

    record: dict[str, Any]
    path: Path  # of the record
    digest: Digest


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
        inputs, facts = check_inputs(step.paths("input")), dict[str, Any]()
        with _foreign_inputs(step):
            yield facts
        outputs = [item for item in step.paths("output", "folder") if item != step.record]
        facts = {"compute": compute.model_dump(), **attempts.summary(), **_hub(), **facts}
        write_record(path, step.step_name, inputs, outputs, step.settings(), code, facts)


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
            outputs = [item for item in path.parent.glob(f"{stem}.*") if _counts(item)]
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
) -> None:
    """Write the record of what `name` has made; digests of outputs are taken here."""
    written = {
        _relative(item, path): seen for output in outputs for item, seen in digests(output).items()
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


def digests(path: Path) -> dict[Path, Digest]:
    """SHA-256 and size of a file, or of every file of a folder; {} for what is not there.

    Records and hidden files of a folder do not count.
    """
    return {
        item: {"sha256": file_sha256(item), "bytes": item.stat().st_size} for item in files_of(path)
    }


def files_of(path: Path) -> list[Path]:
    """A file, or the files of a folder that are neither records nor hidden."""
    if path.is_file():
        return [path]
    return [item for item in sorted(path.rglob("*")) if _counts(item)]


def _counts(item: Path) -> bool:
    return item.is_file() and not item.name.endswith(NAME) and not item.name.startswith(".")


def _summary(path: Path, seen: Mapping[Path, Digest]) -> Digest:
    """One digest of an input: that of the file, or of the names and digests of a folder's files."""
    return seen[path] if path.is_file() else folder_summary(path, seen)


def folder_summary(path: Path, seen: Mapping[Path, Digest]) -> Digest:
    """One digest of a folder: that of the names and digests of its files."""
    lines = [f"{item.relative_to(path).as_posix()} {one['sha256']}" for item, one in seen.items()]
    size = sum(one["bytes"] for one in seen.values())
    return {"sha256": text_hash("\n".join(lines), 64), "bytes": size, "files": len(seen)}


def check_inputs(paths: Sequence[Path]) -> dict[str, Digest]:
    """Digests of inputs by path.

    Raises:
        UserError: for an input that is missing, or that differs from what its record says.

    """
    inputs: dict[str, Digest] = {}
    records = Records()
    for path in paths:
        if not path.exists():
            raise UserError(f"input not found: {path}; run the step that writes it")
        seen = digests(path)
        for problem in records.differences(path, seen):
            raise UserError(problem)
        inputs[str(path)] = _summary(path, seen)
    return inputs


def check_recorded(path: Path) -> None:
    """Compare what a record says of a file, or of files of a folder; nothing else is read.

    Raises:
        UserError: for the first file that is not as its record says, or that is gone.

    """
    records = Records()
    seen = {item: {"sha256": file_sha256(item)} for item in records.listed(path) if item.is_file()}
    for problem in records.differences(path, seen):
        raise UserError(problem)


class Records:
    """The records beside files, each read once."""

    def __init__(self) -> None:
        self._outputs: dict[Path, dict[Path, Written]] = {}

    def of(self, path: Path) -> Written | None:
        """The record that lists the file `path` among its outputs, and what it says of it."""
        path = path.resolve()
        for folder in path.parents[:ABOVE]:
            if written := self._in(folder).get(path):
                return written
        return None

    def listed(self, path: Path) -> list[Path]:
        """The file `path`, or files of the folder `path`, that records in or above it list."""
        path = path.resolve()
        if not path.is_dir():
            return [path] if self.of(path) else []
        items = {item for folder in (path, *path.parents[: ABOVE - 1]) for item in self._in(folder)}
        return sorted(item for item in items if path in item.parents)

    def differences(self, path: Path, seen: Mapping[Path, Digest]) -> Iterator[str]:
        """One sentence for every file of an input that is not as its record says."""
        for item, digest in seen.items():
            written = self.of(item)
            if written is not None and written.digest["sha256"] != digest["sha256"]:
                now, then = digest["sha256"][:12], written.digest["sha256"][:12]
                yield (
                    f"{item} is damaged or was edited: SHA-256 {now}..., recorded {then}... by "
                    f"{written.record['step']}; run that step again, or, to keep an edit of your "
                    f"own, delete {written.path}"
                )
        if path.is_dir():
            folder, there = path.resolve(), {item.resolve() for item in seen}
            for item, written in self._in(folder).items():
                if folder in item.parents and item not in there:
                    yield f"{item} is missing; run {written.record['step']} again, which wrote it"

    def _in(self, folder: Path) -> dict[Path, Written]:
        if folder not in self._outputs:
            self._outputs[folder] = {
                (folder / name).resolve(): Written(record, path, digest)
                for path in sorted(folder.glob(f"*{NAME}"))
                for record in [read_record(path)]
                for name, digest in record["outputs"].items()
            }
        return self._outputs[folder]


@reads("a provenance record", "run its step again")
def read_record(path: Path) -> dict[str, Any]:
    """A record; refuses another format and version, and damage."""
    record = read_json(path, "provenance record")
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise UserError(f"{path} is not a provenance record")
    if record.get("version") not in (OLDER, VERSION):
        raise UserError(
            f"{path}: record version {record.get('version')}, this release reads {VERSION}; run "
            "its step again"
        )
    digest = record.pop("sha256", None)
    expected = text_hash(canonical_json(record), 64) if record["version"] == VERSION else None
    if digest != expected or not _whole(record):
        raise UserError(f"{path} is damaged or was edited; run its step again")
    return record


def _whole(record: Mapping[str, Any]) -> bool:
    """Whether a record names its step and the digest of every output."""
    outputs = record.get("outputs")
    return (
        isinstance(record.get("step"), str)
        and isinstance(record.get("inputs"), dict)
        and isinstance(outputs, dict)
        and all(
            isinstance(item, dict) and isinstance(item.get("sha256"), str)
            for item in outputs.values()
        )
    )


def find_record(path: Path) -> Written | None:
    """The record of the step that wrote `path`, or None."""
    return Records().of(path)


def lost_files(folder: Path, record: Path | None = None) -> list[str]:
    """Files of an output folder that its record lists and that are gone; no file is read.

    A folder without a record has lost that. `record` is where it lies if not inside.
    """
    place = record or folder / NAME
    try:
        outputs = read_record(place)["outputs"]
    except UserError:
        return [NAME]
    return [name for name in outputs if not (place.parent / name).is_file()]


def verify(folder: Path) -> tuple[int, list[str]]:
    """Compare every recorded output below `folder` with its file.

    Returns:
        The number of files that were compared, and one sentence per difference.

    """
    count, problems = 0, []
    for path in tracked(sorted(folder.rglob(f"*{NAME}")), "comparing", "record"):
        try:
            record = read_record(path)
        except UserError as error:
            problems.append(str(error))
            continue
        for name, written in record["outputs"].items():
            item = path.parent / name
            count += 1
            if not item.is_file():
                problems.append(f"{item} is missing; {record['step']} wrote it")
            elif file_sha256(item) != written["sha256"]:
                problems.append(f"{item} differs from what {record['step']} wrote")
    return count, problems
