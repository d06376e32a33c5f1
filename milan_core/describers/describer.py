"""The interface of everything that says something about a unit: units in, descriptions out.

A describer is a subclass of `Describer` in the module of its name, with its options declared in
`options`. It answers for every unit with a text, a score and a status; candidates come with it
where there are several. `driver.describe` runs any describer on any units.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.step import Compute
from milan_core.core.units import UnitKey
from milan_core.describers.declared_options import DescriberOptions, Need
from milan_core.describers.units import EVIDENCE, Units
from milan_core.exemplars.status import ACTIVE, UNKNOWN, UnitStatus

Cell = str | float | int
Status = Literal["described", "abstained", "failed", "dead", "constant", "saturated"]


@dataclass(frozen=True)
class Description:
    """The description of one unit by a describer.

    Attributes:
        text: the description; empty where there is none.
        score: what the describer maximizes, or "" where it has no score.
        cells: further cells of the unit's row in a table, by column.
        failed: no answer came; the unit may be asked for again.
        silent: why the unit shows nothing to describe; `active` where it does. A saturated unit may
            have a text all the same, of a describer that reads no masks.

    """

    text: str
    score: float | str = ""
    cells: Mapping[str, Cell] = field(default_factory=dict)
    failed: bool = False
    silent: UnitStatus = ACTIVE

    @property
    def status(self) -> Status:
        """`abstained` for a unit that was looked at and has no description.

        A unit that shows nothing has its status (`milan_core.exemplars.status`) and no text.
        """
        if self.silent != "active" and not self.text:
            return self.silent
        if self.failed:
            return "failed"
        return "described" if self.text else "abstained"


@dataclass(frozen=True)
class Candidates:
    """The texts that a describer considered or gives side by side, best first.

    Attributes:
        texts: B or fewer texts of each of U units.
        scores: float [U, B] by name, such as logp, logp_lm, similarity, or `weight` for texts that
            share a unit; cells beyond a unit's texts are padding.

    """

    texts: Sequence[Sequence[str]]
    scores: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Descriptions:
    """Descriptions of units by a describer: one row each, in the order of `keys`.

    `seen` tells whether somebody has seen what the units do; else their status is unknown.
    """

    keys: Sequence[UnitKey]
    rows: Sequence[Description]
    candidates: Candidates | None = None
    seen: bool = True

    def __post_init__(self) -> None:
        """Refuse rows and candidates that are not one for each unit."""
        counts = [len(self.keys), len(self.rows)]
        if self.candidates is not None:
            counts += [len(self.candidates.texts), *map(len, self.candidates.scores.values())]
        if len(set(counts)) != 1:
            raise ValueError(f"expected one row for each of {len(self.keys)} units, got {counts}")

    @property
    def texts(self) -> dict[UnitKey, str]:
        """The descriptions by (layer, unit)."""
        return {key: row.text for key, row in zip(self.keys, self.rows, strict=True)}

    @property
    def statuses(self) -> list[str]:
        """For the column `status`: empty for active units, `unknown` where nobody has seen them."""
        if not self.seen:
            return [UNKNOWN] * len(self.rows)
        return [row.silent if row.silent != ACTIVE else "" for row in self.rows]


@dataclass(frozen=True)
class Resources:
    """Files that a describer loads beside its options, and where it runs.

    Attributes:
        captioner: folder of a captioner trained here or its files, or a published file; empty
            where there is none.
        encoder_weights: file of the captioner's encoder, where it lacks it or the file has moved.
        trust: run the code that a captioner's file names (`networks.shipped`).
        compute: device and threads.
        judge: for describers that read one: the folder of a mini judge, or folder or hub name of a
            CLIP or SigLIP.
        seen: what this judge sees in the images of the units' data set (`referee.look`).
        download: may the hub be asked for the judge.

    """

    captioner: Path | Sequence[Path] = ()
    encoder_weights: Path | None = None
    trust: bool = False
    compute: Compute = field(default_factory=Compute)
    judge: Path | None = None
    seen: Path | None = None
    download: bool = False

    def need_captioner(self, describer: str) -> Path | Sequence[Path]:
        """The captioner; raises `UserError` where there is none."""
        if not self.captioner:
            message = f"describer {describer!r} reads a captioner; give it with --captioner"
            raise UserError(message)
        return self.captioner

    def need_judge(self, describer: str) -> Path:
        """The folder of the judge; raises `UserError` where there is none."""
        if self.judge is None:
            raise UserError(
                f"describer {describer!r} reads a trained judge; give its folder with --judge (the "
                "default run writes results/judge)"
            )
        return self.judge


class TableForm(NamedTuple):
    """The format of a describer's table.

    `columns` follow layer, unit and description; `score` is `Description.score`. `digits` are the
    significant digits of numbers; None: all.
    """

    columns: tuple[str, ...]
    digits: int | None = None


class Describer(ABC):
    """Says something about units.

    Class attributes:
        Options: the class of its options.
        form: of its table.

    """

    Options: ClassVar[type[DescriberOptions]]
    form: ClassVar[TableForm] = TableForm(("score",))

    quantiles: tuple[float, ...] = ()
    """Quantiles of a unit's activations whose masks it reads."""

    @classmethod
    @abstractmethod
    def load(cls, options: Any, resources: Resources) -> Describer:
        """The describer with these options (of `Options`); refuses files that are missing."""

    @abstractmethod
    def describe(self, units: Units) -> Descriptions:
        """Descriptions of all `units`, in their order.

        A describer that repeats a table answers for the units of the table instead.
        """

    def columns(self) -> Mapping[str, Sequence[Cell]]:
        """Columns beside the texts of the units that were described last, in their order."""
        return {}

    def save(self, folder: Path) -> list[str]:
        """Write what was found beside the texts, such as a ranking; returns names of files."""
        return []

    def prepare(self, offers: frozenset[Need]) -> None:
        """Refuse units that do not offer enough, before the work that makes their evidence."""
        self.refuse_lacking({need for need in self.Options.needs if need in EVIDENCE}, offers)

    def refuse_lacking(self, needs: set[Need], offers: frozenset[Need]) -> None:
        """Raise `UserError` for evidence that is needed and not offered."""
        if missing := sorted(needs - offers):
            raise UserError(
                f"describer {self.Options.describer_name()!r} needs "
                f"{' and '.join(EVIDENCE[need] for need in missing)}, which these units do not "
                "offer; give them, or choose another describer"
            )
