"""How work is cut into jobs, and which finished jobs a new run may take.

Any cut gives the same bytes, so a run that asks for another number of jobs takes a finished set of
an earlier one, as long as code and options are those of today. Scans of networks are cut by images
and units (`cut_to_merge`), further steps into parts of their blocks (`parts_to_join`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milan_core.config import Config
from milan_core.core.errors import UserError, reading
from milan_core.core.identity import step_code
from milan_core.core.options import canonical
from milan_core.core.records import Records, read_record
from milan_core.exemplars.plan import mining_options, mining_seed
from milan_core.networks.plan import job_network

_LABEL = re.compile(r"(?P<images>[1-9]\d*)(x(?P<units>[1-9]\d*))?")
SCAN = "exemplars.scan"


@dataclass(frozen=True)
class Made:
    """Options, as a record has them, and code that a finished job must have been made with."""

    options: Mapping[str, Any]
    code: str
    roots: tuple[str, ...] = ()  # of the code

    @classmethod
    def of(cls, step: str, *roots: str, **params: Any) -> Made:
        """From the step of a part with the params of its rule; texts in JSON are read."""
        options = {name: _plain(value) for name, value in params.items()}
        return cls(options, step_code(step, *roots), roots)


def _plain(value: Any) -> Any:
    """A rule's param as records have it."""
    return json.loads(value) if isinstance(value, str) and value[:1] in "{[" else value


@dataclass(frozen=True, order=True)
class Cut:
    """Parts of the images times parts of the units; a job for each pair."""

    images: int
    units: int = 1

    @classmethod
    def parse(cls, label: str) -> Cut:
        """From the part of a file name: `4`, or `4x2` with two parts of the units."""
        match = _LABEL.fullmatch(label)
        if match is None:
            raise UserError(f"{label!r} is not a number of shards; expected N, or NxM")
        return cls(int(match["images"]), int(match["units"] or 1))

    @property
    def label(self) -> str:
        """The part of a file name that `parse` reads."""
        return f"{self.images}" if self.units == 1 else f"{self.images}x{self.units}"

    @property
    def jobs(self) -> int:
        """Number of shards."""
        return self.images * self.units

    def place(self, part: int) -> tuple[int, int]:
        """(image shard, unit shard) of a job, all from 1."""
        return (part - 1) % self.images + 1, (part - 1) // self.images + 1

    def files(self, folder: Path | str) -> list[str]:
        """The shards of a folder."""
        return [f"{folder}/{part}-of-{self.label}.safetensors" for part in range(1, self.jobs + 1)]


def cut_to_merge(config: Config, model: str, folder: Path | str) -> Cut:
    """The cut whose shards are merged: as asked, or a finished one in `folder`.

    A finished set is taken where each of its records names the code and the options of today;
    files that changed since are found by the times of files, as everywhere.
    """
    asked = Cut(config.exemplars.shards, config.exemplars.unit_shards)
    options = {
        "model": json.loads(canonical(job_network(config, model))),
        "options": json.loads(canonical(mining_options(config, model))),
        "seed": mining_seed(config),
    }
    made = Made(options, step_code(SCAN))
    for cut in (asked, *_found(Path(folder))):
        if _finished(cut, Path(folder), made):
            return cut
    return asked


def parts_to_join(asked: int, whole: Path | str, step: str, made: Made) -> list[str]:
    """The parts that the result with the record `whole` is joined from; none: one job makes all.

    They lie in `parts/` beside the record. Finished work stays however it was cut: as many parts as
    asked for, then a result of one job, then any complete set, where code and options are those of
    today, and for a result of one job the inputs too.

    Args:
        asked: number of parts.
        whole: record of the joined result.
        step: the step that joins, `<folder>.<verb>`.
        made: options of a part, and code of the step that makes one.

    """
    folder = Path(whole).parent / "parts"
    cut = Cut(asked)
    if asked > 1 and _finished(cut, folder, made):
        return cut.files(folder)
    if _in_one_job(Path(whole), Made(made.options, step_code(step, *made.roots))):
        return []
    for other in _found(folder):
        if _finished(other, folder, made):
            return other.files(folder)
    return cut.files(folder) if asked > 1 else []


def _in_one_job(record: Path, made: Made) -> bool:
    """Whether one job made the result of a record, from the inputs that are there now."""
    facts = _record_made_alike(record, made)
    if facts is None:
        return False
    records, inputs = Records(), facts["inputs"]
    try:
        now = {path: records.of(Path(path)) for path in inputs if Path(path).is_file()}
    except (UserError, OSError):
        return False
    parts = any(Path(path).parent.name == "parts" for path in inputs)
    same = all(
        one is None or one.digest["sha256"] == inputs[path]["sha256"] for path, one in now.items()
    )
    return same and not parts


def _found(folder: Path) -> Iterator[Cut]:
    """The cuts of which the folder has the first shard, and records enough, in their order."""
    names = [path.name for path in folder.glob("*-of-*.provenance.json")]
    firsts = (name.removeprefix("1-of-") for name in names if name.startswith("1-of-"))
    labels = (name.removesuffix(".provenance.json") for name in firsts)
    cuts = [Cut.parse(label) for label in labels if _LABEL.fullmatch(label)]
    yield from sorted(cut for cut in cuts if cut.jobs <= len(names))


def _finished(cut: Cut, folder: Path, made: Made) -> bool:
    """Whether all shards of a cut are there, made by the code and with the options of today."""
    for file in cut.files(folder):
        record = Path(file.removesuffix(".safetensors") + ".provenance.json")
        if not Path(file).is_file() or _record_made_alike(record, made) is None:
            return False
    return True


def _record_made_alike(path: Path, made: Made) -> dict[str, Any] | None:
    """A job's record of the code and the options of today; None for another and a damaged one."""
    try:
        with reading(path, "a record"):
            record = read_record(path)
            options = record["options"]
            alike = all(options.get(name) == value for name, value in made.options.items())
            return record if alike and record["code"] == made.code else None
    except (UserError, OSError):
        return None
