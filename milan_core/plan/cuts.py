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
from milan_core.core.errors import UserError
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
    """The cuts of which the folder has the first shard, in their order."""
    names = (path.name for path in folder.glob("1-of-*.provenance.json"))
    labels = (name.removeprefix("1-of-").removesuffix(".provenance.json") for name in names)
    yield from sorted(Cut.parse(label) for label in labels if _LABEL.fullmatch(label))


def _finished(cut: Cut, folder: Path, options: dict[str, object]) -> bool:
    """Whether all shards of a cut are there, made by the code and with the options of today."""
    for file in cut.files(folder):
        record = Path(file.removesuffix(".safetensors") + ".provenance.json")
        try:
            facts = read_json(record) if Path(file).is_file() else {}
        except (UserError, OSError):
            return False
        made = facts.get("options", {})
        if facts.get("code") != step_code(SCAN):
            return False
        if any(made.get(name) != value for name, value in options.items()):
            return False
    return True
