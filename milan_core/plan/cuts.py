"""How the scan of a network is cut into jobs, and which finished jobs a new run may take.

Any cut gives the same exemplars, so a run that asks for another number of shards takes a finished
set of an earlier one, as long as code and options are those of today.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from milan_core.config import Config
from milan_core.core.errors import UserError, reading
from milan_core.core.files import read_json
from milan_core.core.identity import step_code
from milan_core.core.options import canonical
from milan_core.exemplars.plan import mining_options, mining_seed
from milan_core.networks.plan import job_network

_LABEL = re.compile(r"(?P<images>[1-9]\d*)(x(?P<units>[1-9]\d*))?")
SCAN = "exemplars.scan"


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
            raise UserError(f"{label!r} is no number of shards; expected N, or NxM")
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
    for cut in (asked, *_found(Path(folder))):
        if _finished(cut, Path(folder), options):
            return cut
    return asked


def _found(folder: Path) -> Iterator[Cut]:
    """The cuts of which the folder has the first shard, and records enough, in their order."""
    names = [path.name for path in folder.glob("*-of-*.provenance.json")]
    firsts = (name.removeprefix("1-of-") for name in names if name.startswith("1-of-"))
    labels = (name.removesuffix(".provenance.json") for name in firsts)
    cuts = [Cut.parse(label) for label in labels if _LABEL.fullmatch(label)]
    yield from sorted(cut for cut in cuts if cut.jobs <= len(names))


def _finished(cut: Cut, folder: Path, options: dict[str, object]) -> bool:
    """Whether all shards of a cut are there, made by the code and with the options of today."""
    for file in cut.files(folder):
        record = Path(file.removesuffix(".safetensors") + ".provenance.json")
        if not Path(file).is_file() or not _made_alike(record, options):
            return False
    return True


def _made_alike(record: Path, options: dict[str, object]) -> bool:
    """Whether a shard's record is of the code and the options of today; a damaged one is not."""
    try:
        with reading(record, "a record"):
            facts = read_json(record)
            made = facts["options"]
            alike = all(made.get(name) == value for name, value in options.items())
            return bool(alike and facts["code"] == step_code(SCAN))
    except (UserError, OSError):
        return False
