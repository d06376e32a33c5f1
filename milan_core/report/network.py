"""One network of the report: its units, facts and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, write_bytes
from milan_core.core.names import file_name
from milan_core.core.numbers import number
from milan_core.exemplars import sheets
from milan_core.exemplars.status import status_sentence
from milan_core.exemplars.store import ExemplarSet
from milan_core.report.bands import Band, bands_picture, unit_bands
from milan_core.report.files import NetworkFiles
from milan_core.report.spread import spread_svg
from milan_core.report.units import UnitView, read_units
from milan_core.scoring.joined import CORRECT

CHUNK = 64  # units whose masks are in memory at once


@dataclass(frozen=True)
class LayerFacts:
    """Counts of one layer."""

    name: str
    units: int
    specific: int
    named: int
    reliable: int
    trusted: int  # reliable ones with a specific concept
    confirmed: int  # of these, those that name it


@dataclass(frozen=True)
class Network:
    """The content of one network's pages."""

    name: str
    units: list[UnitView]
    k: int
    columns: int
    dataset: str
    is_encoder: bool
    is_student: bool
    judged: bool  # it has ground truth
    accuracy: list[tuple[str, float]]
    quantile: float | None = None  # of a unit's activations, above which its mask lies
    idle: frozenset[str] = field(default_factory=frozenset)  # anchors of units not to be drawn
    spreads: Mapping[str, Any] = field(default_factory=dict)  # drawings, by anchor
    bands: Mapping[str, list[Band]] = field(default_factory=dict)  # by anchor, where configured
    band_size: int = 0  # images of a band

    @property
    def slug(self) -> str:
        """Its name in file names."""
        return file_name(self.name)

    @property
    def page(self) -> str:
        """File name of its page."""
        return f"{self.slug}.html"

    def sheet(self, unit: UnitView) -> str:
        """The path of a unit's sheet below the folder `slug`."""
        return f"{file_name(unit.layer)}/{unit.unit}.webp"

    def band_sheet(self, unit: UnitView) -> str:
        """The path of the picture of a unit's bands below the folder `slug`."""
        return f"{file_name(unit.layer)}/{unit.unit}-bands.webp"

    @property
    def width(self) -> int:
        """Width of a sheet in pixels."""
        return sheets.sheet_size(self.k, self.columns)[0]

    @property
    def height(self) -> int:
        """Height of a sheet in pixels."""
        return sheets.sheet_size(self.k, self.columns)[1]

    @property
    def layers(self) -> list[LayerFacts]:
        """Counts per layer, in order of appearance."""
        groups: dict[str, list[UnitView]] = {}
        for unit in self.units:
            groups.setdefault(unit.layer, []).append(unit)
        return [
            LayerFacts(
                name,
                len(units),
                sum(unit.specific for unit in units),
                sum(unit.verdict == CORRECT for unit in units),
                sum(unit.reliable for unit in units),
                sum(unit.reliable and unit.specific for unit in units),
                sum(unit.reliable and unit.verdict == CORRECT for unit in units),
            )
            for name, units in groups.items()
        ]

    @property
    def specific(self) -> int:
        """Units with a specific concept."""
        return sum(unit.specific for unit in self.units)

    @property
    def named(self) -> int:
        """Units whose description names their specific concept."""
        return sum(unit.verdict == CORRECT for unit in self.units)

    @property
    def decided(self) -> bool:
        """Whether it is known which of its descriptions are reliable."""
        return any(unit.reliable or unit.guess for unit in self.units)

    @property
    def reliability(self) -> str:
        """Count the reliable descriptions, in a sentence; empty where it is not known."""
        if not self.decided:
            return ""
        reliable = sum(unit.reliable for unit in self.units)
        none = sum(bool(unit.guess) for unit in self.units)
        return f"{reliable} have a reliable description, {none} have none."

    @property
    def distinct(self) -> int:
        """Different descriptions."""
        return len({unit.description for unit in self.units if not unit.silent})

    @property
    def silent(self) -> str:
        """Count the units that show nothing, in a sentence; empty where all do."""
        silent = [unit.status for unit in self.units if unit.silent]
        return status_sentence(silent, len(self.units))


def load_network(files: NetworkFiles, exemplars: ExemplarSet, columns: int) -> Network:
    """Join the tables and exemplars of one network; refuses descriptions of other units."""
    facts = files.facts
    units = read_units(files, exemplars.silent())
    counts = exemplars.units
    for unit in units:
        if unit.unit >= counts.get(unit.layer, 0):
            message = (
                f"report: {facts.name!r} has a description of layer {unit.layer!r} unit "
                f"{unit.unit}, which its exemplars lack; they come from different runs, so "
                "describe it again"
            )
            raise UserError(message)
    idle = frozenset(
        unit.anchor
        for unit in units
        if unit.silent or not exemplars.activations(unit.layer)[unit.unit, 0] > 0
    )
    bands = {unit.anchor: unit_bands(exemplars, unit.layer, unit.unit) for unit in units}
    return Network(
        name=facts.name,
        units=units,
        k=exemplars.k,
        columns=columns,
        dataset=facts.dataset,
        is_encoder=facts.is_encoder,
        is_student=facts.is_student,
        judged=files.truth is not None,
        accuracy=_accuracy(files.accuracy),
        quantile=exemplars.meta.get("quantile"),
        idle=idle,
        spreads=_spreads(units, exemplars),
        bands={anchor: rows for anchor, rows in bands.items() if rows},
        band_size=int(exemplars.meta.get("band_size", 0)),
    )


def _accuracy(path: Path | None) -> list[tuple[str, float]]:
    """Accuracy of the network itself by data set."""
    rows = read_csv(path, ("dataset", "accuracy")) if path is not None else []
    return [(row["dataset"], number(row["accuracy"])) for row in rows]


def _spreads(units: list[UnitView], exemplars: ExemplarSet) -> dict[str, Any]:
    """A drawing for every unit whose layer was mined with a sample."""
    drawings = {}
    for unit in units:
        if (distribution := exemplars.distribution(unit.layer)) is not None:
            level = float(exemplars.levels(unit.layer)[unit.unit])
            drawings[unit.anchor] = spread_svg(distribution, unit.unit, level)
    return drawings


def write_sheets(network: Network, exemplars: ExemplarSet, images: np.ndarray, out: Path) -> None:
    """Write the sheet of every unit below `out / network.slug`; images uint8 [N, H, W, 3]."""
    thumbnails = sheets.Thumbnails(images)
    by_layer: dict[str, list[UnitView]] = {}
    for unit in network.units:
        by_layer.setdefault(unit.layer, []).append(unit)
    for layer, units in by_layer.items():
        ids = exemplars.ids(layer)
        for start in range(0, len(units), CHUNK):
            part = units[start : start + CHUNK]
            masks = exemplars.masks(layer, sheets.TILE, units=[unit.unit for unit in part])
            for unit, mask in zip(part, masks, strict=True):
                data = sheets.unit_sheet(thumbnails, ids[unit.unit], mask, network.columns)
                write_bytes(out / network.slug / network.sheet(unit), data)
                if unit.anchor in network.bands:
                    shown, _ = exemplars.bands(layer)
                    data = bands_picture(thumbnails, shown[unit.unit])
                    write_bytes(out / network.slug / network.band_sheet(unit), data)
