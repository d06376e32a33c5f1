"""Units with their pooled activations on images that describers may see, and texts proposed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.step import Compute
from milan_core.core.units import UnitKey
from milan_core.describers.declared_options import Need
from milan_core.describers.masked import Masked
from milan_core.describers.sources import ExemplarUnits
from milan_core.describers.units import UnitImages, Units
from milan_core.exemplars.status import UnitStatus
from milan_core.exemplars.table import ActivationTable
from milan_core.images.store import Dataset
from milan_core.referee.judge import Judge, JudgedImages, JudgeResources
from milan_core.referee.judges.chooser import Chooser, load_chooser
from milan_core.referee.judges.mini import RECORD, load_folder
from milan_core.referee.judges.mini import Judge as MiniJudge
from milan_core.referee.seen import read_seen, recall
from milan_core.referee.table import evenly

FEWEST = 100  # images from which a correlation says something
NONE = float("nan")


@dataclass(frozen=True)
class Proposed:
    """Texts of a describer for each unit.

    Attributes:
        texts: of each unit.
        logp, logp_lm: float64 of each text, log p(d|E) and log p(d); NaN where there is none.

    """

    texts: Sequence[Sequence[str]]
    logp: Sequence[np.ndarray]
    logp_lm: Sequence[np.ndarray]

    @classmethod
    def of_texts(cls, texts: Sequence[str]) -> Proposed:
        """One text a unit, or none where it is empty, without log-probabilities."""
        lists = [[text] if text else [] for text in texts]
        none = [np.full(len(one), NONE) for one in lists]
        return cls(lists, none, none)


class PooledUnits(Units):
    """Units with their activations on mining images.

    Args:
        table: activations; images that are held out are left out.
        dataset: its images.
        keys: the units, of the table.
        proposed: texts by describer.
        silent: units that show nothing.
        limit: images that are used at most, evenly drawn over their numbers.
        shown: exemplars of each unit of `keys`, for a choice that looks at them.

    Raises:
        UserError: for too few images, or units that the table lacks.

    """

    offers: frozenset[Need] = frozenset({"maxima"})
    source: ClassVar[str] = "units with pooled activations"

    def __init__(
        self,
        table: ActivationTable,
        dataset: Dataset,
        keys: Sequence[UnitKey],
        proposed: Mapping[str, Proposed] | None = None,
        silent: Mapping[UnitKey, Any] | None = None,
        limit: int = 10_000,
        shown: Sequence[UnitImages] | None = None,
    ) -> None:
        self.dataset, self.proposed, self.shown = dataset, dict(proposed or {}), shown
        self._table, self._keys, self._silent = table, list(keys), dict(silent or {})
        self._rows = table.rows_of(self._keys)
        if (self._rows < 0).any():
            layer, unit = self._keys[int(np.argmax(self._rows < 0))]
            raise UserError(
                f"the activation table of {table.facts.model!r} lacks unit {unit} of {layer}; mine "
                "the network again"
            )
        seen = np.flatnonzero(~table.heldout)
        if len(seen) < FEWEST:
            raise UserError(
                f"{len(seen)} images to fit descriptions on, expected {FEWEST} or more; give more "
                "images"
            )
        self._positions = evenly(seen, limit)
        self.images = JudgedImages(dataset, table.ids[self._positions])

    @property
    def keys(self) -> list[UnitKey]:
        """(layer, unit) of every unit."""
        return self._keys

    @property
    def silent(self) -> Mapping[UnitKey, UnitStatus]:
        """As it was given."""
        return self._silent

    def pooled(self, places: Sequence[int]) -> np.ndarray:
        """Activations of the units at `places` of `keys`: float32 [units, images]."""
        return self._table.block(self._rows[list(places)], images=self._positions)


def pooled_units(
    units: Units, proposed: Mapping[str, Proposed] | None = None, limit: int = 10_000
) -> PooledUnits:
    """The same units, mined ones with the table that their mining kept.

    Args:
        units: pooled ones, which are returned as they are, or mined exemplars with a table.
        proposed: texts by describer, in the order of `keys`.
        limit: images that are used at most.

    Raises:
        UserError: for units without activations in every image.

    """
    if isinstance(units, PooledUnits):
        return units
    if not isinstance(units, ExemplarUnits):
        raise units.lacking("maxima")
    images = bare_images(units.images)
    given = (units.table, images, units.keys, proposed, units.silent, limit)
    return PooledUnits(*given, shown=units.exemplars())


def bare_images(images: np.ndarray) -> Dataset:
    """Images that are no data set of a folder, for a judge that looks at pixels alone."""
    unknown = np.full(len(images), -1)
    bare = SimpleNamespace(images=images, labels=unknown, classes=[], fingerprint="", world="")
    return cast(Dataset, bare)


def load_named(judge: Path, compute: Compute, *, download: bool = False) -> Judge:
    """The judge of `--judge`: the folder of a mini judge, or folder or hub name of a CLIP."""
    if (judge / RECORD).is_file():
        return load_folder(judge, JudgeResources(folder=judge, compute=compute))
    from milan_core.referee.judges.choice import learned_judge

    return learned_judge(str(judge), compute, download=download)


class Views:
    """The views of the same images by a judge, and by the chooser in its folder.

    Args:
        judge: the judge.
        chooser: of the same folder, beside a mini judge; None: the judge alone decides.
        images: those that are looked at.
        seen: float16 [N, cells, width], what the judge saw in all images of their data set, where
            it has looked before.

    Attributes:
        world: whose words the judge learned; empty for a judge of any images.

    """

    def __init__(
        self,
        judge: Judge,
        chooser: Chooser | None,
        images: JudgedImages,
        seen: np.ndarray | None = None,
    ) -> None:
        self.world: str = getattr(judge, "world", "")
        self._judge, self._chooser, self._images, self._seen = judge, chooser, images, seen
        self._vectors = np.zeros((len(images), 0), np.float32)
        if chooser is not None:
            self._vectors = chooser.of_images(_mini(judge).image_means(images))

    @classmethod
    def load(
        cls,
        judge: Path,
        seen: Path | None,
        images: JudgedImages,
        compute: Compute,
        *,
        download: bool = False,
    ) -> Views:
        """Views by a judge (`load_named`); `seen` is what it saw in the images (`referee.look`)."""
        loaded = load_named(judge, compute, download=download)
        if not isinstance(loaded, MiniJudge):
            return cls(loaded, None, images)
        if seen is None:
            return cls(loaded, load_chooser(judge), images)
        recall(loaded, seen)
        return cls(loaded, load_chooser(judge), images, read_seen(loaded, seen)[1])

    def masked(self, exemplars: Sequence[UnitImages] | None, texts: Sequence[str]) -> Masked:
        """The judge's view of exemplars under their masks; refusals as `Masked`."""
        return Masked(self._judge, exemplars, texts, self._seen)

    def judge(self, texts: Sequence[str]) -> np.ndarray:
        """Presence by the judge: float32 [images, texts]."""
        return self._judge.columns(self._images, texts)

    def chooser(self, texts: Sequence[str]) -> np.ndarray:
        """Presence by the chooser: float32 [images, texts]; 0 throughout where there is none."""
        if self._chooser is None:
            return np.zeros((len(self._images), len(texts)), np.float32)
        vectors = self._chooser.of_texts(_mini(self._judge).text_vectors(texts))
        return self._chooser.columns(self._vectors, vectors)


def _mini(judge: Judge) -> MiniJudge:
    """The judge of a chooser's folder, which is a mini judge."""
    assert isinstance(judge, MiniJudge)
    return judge
