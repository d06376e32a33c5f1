"""Provenance records: what made a file, from which inputs, and the digests of what was written.

Every step writes one record, beside its outputs or inside its output folder (`recorded`). A record
names step, options, code, versions, machine, time and memory, and the SHA-256 of every input and
output (`trees`). Before a step runs, its inputs are compared with the records of the steps that
wrote them (`check_inputs`), so a damaged or edited file is noticed by the next job that reads it.
The cost is one reading of the inputs, about 1 s per 1.5 GB, which the threads of the job share
where files are large.

`verify` checks a whole folder, `find_record` answers what made a file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from milan_core.core.contents import files_below
from milan_core.core.errors import UserError, reads
from milan_core.core.files import canonical_json, read_json, text_hash
from milan_core.core.progress import tracked
from milan_core.core.trees import file_digest

FORMAT, VERSION = "milan-provenance", 3
OLDER = 2  # without a digest of the record itself
NAME = "provenance.json"
ABOVE = 5  # folders above a file in which a record may list it: atlases nest files of experiments

Digest = dict[str, Any]  # sha256, bytes; of a folder also files


class Written(NamedTuple):
    """One file of a record: its digest, and the record."""

    record: dict[str, Any]
    path: Path  # of the record
    digest: Digest


def digests(path: Path, threads: int = 1, records: Records | None = None) -> dict[Path, Digest]:
    """Digest and size of a file, or of every file of a folder; {} for what is not there.

    Records and hidden files of a folder do not count. With `records` a digest is of the kind that
    the file's record has.
    """
    found: dict[Path, Digest] = {}
    for item in files_of(path):
        written = records.of(item) if records else None
        like = written.digest["sha256"] if written else ""
        digest = file_digest(item, threads, like)
        found[item] = {"sha256": digest, "bytes": item.stat().st_size}
    return found


def files_of(path: Path) -> list[Path]:
    """A file, or the files of a folder that are neither records nor hidden."""
    if path.is_file():
        return [path]
    return [item for item in sorted(path.rglob("*")) if counts_as_output(item)]


def counts_as_output(item: Path) -> bool:
    """Whether a file of a folder counts: it is neither a record nor hidden."""
    return item.is_file() and not item.name.endswith(NAME) and not item.name.startswith(".")


def _summary(path: Path, seen: Mapping[Path, Digest]) -> Digest:
    """One digest of an input: that of the file, or of the names and digests of a folder's files."""
    return seen[path] if path.is_file() else folder_summary(path, seen)


def folder_summary(path: Path, seen: Mapping[Path, Digest]) -> Digest:
    """One digest of a folder: that of the names and digests of its files."""
    lines = [f"{item.relative_to(path).as_posix()} {one['sha256']}" for item, one in seen.items()]
    size = sum(one["bytes"] for one in seen.values())
    return {"sha256": text_hash("\n".join(lines), 64), "bytes": size, "files": len(seen)}


def check_inputs(paths: Sequence[Path], threads: int = 1) -> dict[str, Digest]:
    """Digests of inputs by path; `threads` share the large files.

    Raises:
        UserError: for an input that is missing, or that differs from what its record says.

    """
    inputs: dict[str, Digest] = {}
    records = Records()
    for path in paths:
        if not path.exists():
            raise UserError(f"input not found: {path}; run the step that writes it")
        seen = digests(path, threads, records)
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
    seen = {
        item: {"sha256": file_digest(item, like=written.digest["sha256"])}
        for item in records.listed(path)
        if item.is_file() and (written := records.of(item))
    }
    for problem in records.differences(path, seen):
        raise UserError(problem)


class Records:
    """The records beside files, each read once."""

    def __init__(self) -> None:
        self._outputs: dict[Path, dict[Path, Written]] = {}
        self._beside: dict[Path, dict[Path, Written]] = {}

    def of(self, path: Path) -> Written | None:
        """The record that lists the file `path` among its outputs, and what it says of it."""
        path = path.resolve()
        for folder in path.parents[:ABOVE]:
            if written := self._in(folder).get(path):
                return written
        return self._from_below(path.parent).get(path)

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

    def _from_below(self, folder: Path) -> dict[Path, Written]:
        """Files of `folder` that the record of a folder in it lists, such as a leaderboard."""
        if folder not in self._beside:
            found = self._beside[folder] = {}
            for path in sorted(folder.glob(f"*/{NAME}")):
                with contextlib.suppress(UserError):  # whoever reads that folder is told
                    outputs = self._in(path.parent.resolve()).items()
                    found |= {item: one for item, one in outputs if item.parent == folder}
        return self._beside[folder]

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
        raise UserError(
            f"{path} is not a provenance record; where another program wrote it, rename it"
        )
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


def records_below(folder: Path) -> list[Path]:
    """The records of a folder and of all below it that are not hidden, also behind links."""
    return sorted(path for path in files_below(folder) if path.name.endswith(NAME))


def run_folder(file: Path, inputs: Iterable[str]) -> Path:
    """The folder that the inputs of a file's record are relative to.

    It is the nearest one above the file in which one of them is; where there is none, the current.
    """
    names = [name for name in inputs if not Path(name).is_absolute()]
    above = dict.fromkeys([*file.absolute().parents, *file.resolve().parents])
    return next((one for one in above if any((one / name).exists() for name in names)), Path())


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
    for path in tracked(records_below(folder), "comparing", "record"):
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
            elif file_digest(item, like=written["sha256"]) != written["sha256"]:
                problems.append(f"{item} differs from what {record['step']} wrote")
    return count, problems
