"""The feature file of one network: what the captioner reads, and two controls beside it.

One row per unit, layers in mining order, units ascending. `exact` pools each exemplar under its own
mask; `shuffled` under the mask of another unit's exemplar; `whole` over the whole image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ConfigDict

from milan_core.core.errors import reads
from milan_core.core.options import Content
from milan_core.core.shapes import check_arrays
from milan_core.core.tensors import map_tensors, save_tensors
from milan_core.core.units import UnitKey
from milan_core.exemplars.status import SILENT, UnitStatus

KIND, VERSION = "milan-features", 1


@dataclass(frozen=True)
class FeatureTable:
    """Features of all units of one network.

    Attributes:
        arrays: masking name to float16 [U, k, F]; float32 for a published captioner.
        layers: (layer name, number of units) in row order; the sum of the numbers is U.
        meta: encoder hash, data set fingerprint, pooling options.
        units: unit numbers of each layer; None: 0 to U-1.

    """

    arrays: Mapping[str, np.ndarray]
    layers: list[tuple[str, int]]
    meta: dict[str, Any]
    units: Mapping[str, Sequence[int]] | None = None

    @property
    def rows(self) -> list[tuple[str, int]]:
        """(layer, unit) of every row."""
        chosen = self.units or {}
        return [
            (name, unit) for name, count in self.layers for unit in chosen.get(name, range(count))
        ]

    @property
    def silent(self) -> dict[UnitKey, UnitStatus]:
        """The status of units that show nothing (`milan_core.exemplars.status`)."""
        return {(layer, unit): status for layer, unit, status in self.meta.get("silent", ())}

    def part(self, start: int, stop: int) -> FeatureTable:
        """The table of some rows, `start` to `stop` - 1; arrays stay mapped."""
        units: dict[str, list[int]] = {}
        for layer, unit in self.rows[start:stop]:
            units.setdefault(layer, []).append(unit)
        meta = self.meta
        if "silent" in meta:
            kept = [row for row in meta["silent"] if row[1] in units.get(row[0], ())]
            meta = {**meta, "silent": kept}
        arrays = {masking: array[start:stop] for masking, array in self.arrays.items()}
        layers = [(name, len(chosen)) for name, chosen in units.items()]
        return FeatureTable(arrays, layers, meta, units)

    def save(self, path: Path) -> None:
        """Write the table."""
        meta = {**self.meta, "layers": [list(item) for item in self.layers]}
        if self.units is not None:
            meta["units"] = {name: list(units) for name, units in self.units.items()}
        save_tensors(path, KIND, VERSION, self.arrays, meta)


class FeatureMeta(Content):
    """Metadata of a file of `FeatureTable.save`; what a describer adds passes as it is."""

    model_config = ConfigDict(extra="allow")

    layers: list[tuple[str, int]]
    units: dict[str, list[int]] | None = None
    encoder: str
    dataset: str
    silent: tuple[tuple[str, int, str], ...] = ()


def silent_facts(silent: Mapping[UnitKey, UnitStatus]) -> dict[str, Any]:
    """The status of silent units in a file's header; empty where all units show something."""
    return {"silent": [[*key, status] for key, status in silent.items()]} if silent else {}


@reads("a file of features", "run its stage again")
def load_features(path: Path) -> FeatureTable:
    """Open a feature file, refusing one whose rows do not match its layers; arrays are mapped."""
    arrays, meta = map_tensors(path, KIND, FeatureMeta, (VERSION,))
    layers, units = meta.layers, meta.units
    expected = sum(count for _, count in layers)
    counts = dict(layers)
    if len(counts) != len(layers) or min(counts.values(), default=0) < 0:
        raise ValueError("its layers are not different ones with units")
    for name, chosen in (units or {}).items():
        if len(chosen) != counts[name]:
            raise ValueError(f"layer {name!r} has {counts[name]} rows, units {chosen!r:.60}")
    rows = {name: (units or {}).get(name, range(count)) for name, count in layers}
    for layer, unit, status in meta.silent:
        if status not in SILENT or unit not in rows[layer]:
            raise ValueError(f"layer {layer!r} has no unit {unit!r} that is {status!r}")
    check_arrays(arrays, dict.fromkeys(arrays, "floats rows k features"), rows=expected)
    facts = meta.model_dump(exclude_unset=True, exclude={"layers", "units"})
    return FeatureTable(arrays, layers, facts, units)
