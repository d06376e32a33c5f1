"""The exemplars of a model: which images drive each unit most, how much, and where in the image.

The arrays of a layer are in `milan_core.exemplars.layer`, joining of shards in
`milan_core.exemplars.merge`. No torch here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from milan_core import ops
from milan_core.core.errors import UserError, reads, unknown
from milan_core.core.tensors import load_tensors, save_tensors, tensors_kind
from milan_core.core.units import UnitKey
from milan_core.exemplars.checks import SetMeta, check_arrays, check_names
from milan_core.exemplars.layer import LayerExemplars
from milan_core.exemplars.published_layout import export_legacy
from milan_core.exemplars.sample import Distribution, draw_bands
from milan_core.exemplars.state import (
    SHARD_KIND,
    MiningState,
)
from milan_core.exemplars.status import ACTIVE, UnitStatus, shown_status, unit_status
from milan_core.exemplars.table import ActivationTable

KIND = "milan-exemplars"
VERSION = 2
SPREAD = ("values", "zeros", "cells", "bins", "counts")
COUNTS = ("values", "zeros", "negatives", "nan")


class ExemplarSet:
    """The exemplars of all mined layers of a model; see `milan_core.exemplars.mine.mine`.

    A set from one shard is partial: it can be saved, loaded and merged, but it has no levels and
    no masks, because these need the whole data set.
    """

    def __init__(
        self,
        layers: Mapping[str, LayerExemplars],
        meta: Mapping[str, Any] | None = None,
        state: MiningState | None = None,
    ) -> None:
        self._layers = dict(layers)
        self.meta = dict(meta or {})  # provenance: model, dataset, k, quantile, ...
        self.images: np.ndarray | None = None  # uint8 (N, H, W, 3) if mined from bytes; not saved
        self.probe: dict[str, Any] = {}  # what the probe of the network settled; in the record
        self.table: ActivationTable | None = None  # of the mined shard, if asked for; not saved
        self._state = state  # only while partial

    @classmethod
    def from_state(cls, state: MiningState) -> ExemplarSet:
        """The result of a scan; partial when the state lacks shards."""
        layers = {}
        for name in state.header.layers:
            scan = state.layers[name]
            ids, activations, maps = scan.topk()
            levels, resolved = scan.levels()
            levels = state.estimated.get(name, levels)
            counts = {part: scan.counts()[part] for part in COUNTS}
            layers[name] = LayerExemplars(
                ids, activations, levels, resolved, maps=maps, counts=counts
            )
            if (flat := state.flat.get(name)) is not None and len(flat.units):
                layers[name].constant = np.isin(np.arange(len(ids)), flat.units)
            if sample := state.samples.get(name):
                layers[name].distribution = Distribution.from_state(sample)
                if state.header.bands:
                    layers[name].band_ids, layers[name].band_activations = draw_bands(
                        sample, state.header.bands, state.header.band_size
                    )
        partial = None if state.header.complete else state
        return cls(layers, state.header.provenance(), partial)

    @property
    def layers(self) -> list[str]:
        """Names of the mined layers, in the order asked for."""
        return list(self._layers)

    @property
    def units(self) -> dict[str, int]:
        """Number of units of each layer."""
        return {name: len(layer.ids) for name, layer in self._layers.items()}

    @property
    def k(self) -> int:
        """Exemplars per unit."""
        return next(iter(self._layers.values())).ids.shape[1]

    def __repr__(self) -> str:
        layers = ", ".join(f"{name}: {count} units" for name, count in self.units.items())
        return f"<exemplars of {layers}; {self.meta.get('k')} images a unit>"

    @property
    def complete(self) -> bool:
        """False for a shard that still has to be merged with others."""
        return self._state is None

    def layer(self, name: str) -> LayerExemplars:
        """All arrays of a layer."""
        if name not in self._layers:
            raise unknown("layer", name, self._layers, where="these exemplars")
        return self._layers[name]

    def ids(self, layer: str) -> np.ndarray:
        """int64 [U, k]: image ids, best first; ties: lower id first; -1 where images ran out."""
        return self.layer(layer).ids

    def activations(self, layer: str) -> np.ndarray:
        """float32 [U, k]: spatial maximum in each exemplar, descending; -inf at id -1."""
        return self.layer(layer).activations

    def levels(self, layer: str) -> np.ndarray:
        """float32 [U]: the quantile of the unit's own activations over the whole dataset."""
        self._needs_all("levels")
        return self.layer(layer).levels

    def resolved(self, layer: str) -> np.ndarray:
        """Bool [U]: whether there is a level, exact to 2^-10; if not (all values NaN), it is NaN.

        A level by sketch is an estimate, whose error is not known.
        """
        self._needs_all("levels")
        return self.layer(layer).resolved

    def counts(self, layer: str) -> dict[str, np.ndarray]:
        """uint64 [U] each: activations seen (values), zeros, negatives, nan."""
        return self.layer(layer).counts

    def status(self, layer: str) -> np.ndarray:
        """Str [U]: active, or why there is nothing to describe (`milan_core.exemplars.status`)."""
        self._needs_all("the status of units")
        facts = self.layer(layer)
        if not facts.counts:  # imported: what the exemplars show
            return shown_status(facts.masked(), facts.activations)
        return unit_status(facts.counts, facts.constant, facts.levels, facts.activations[:, 0])

    def silent(self) -> dict[UnitKey, UnitStatus]:
        """The status of every unit that is not active, by (layer, unit)."""
        return {
            (layer, int(unit)): status[unit]
            for layer in self.layers
            for status in [self.status(layer)]
            for unit in np.flatnonzero(status != ACTIVE)
        }

    def bands(self, layer: str) -> tuple[np.ndarray, np.ndarray]:
        """(ids int64, activations float32), both [U, bands, size], the strongest band first."""
        self._needs_all("bands")
        exemplars = self.layer(layer)
        if exemplars.band_ids is None or exemplars.band_activations is None:
            msg = "these exemplars were mined without bands; set `bands` and mine them again"
            raise UserError(msg)
        return exemplars.band_ids, exemplars.band_activations

    def distribution(self, layer: str) -> Distribution | None:
        """Quantiles and moments of each unit's values, or None when mined without a sample."""
        return self.layer(layer).distribution

    def masks(
        self,
        layer: str,
        size: int = 224,
        levels: Any = None,
        border: str = "zeros",
        units: Any = None,
    ) -> np.ndarray:
        """Bool [U, k, size, size]: where the up-sampled map is above the unit's level (spec 2.4).

        `levels` (one number or one a unit) overrides the stored ones; `units` selects some units.
        """
        packed = self.packed_masks(layer, size, levels, border, units)
        return ops.unpack_masks(packed, size)

    def packed_masks(
        self,
        layer: str,
        size: int = 224,
        levels: Any = None,
        border: str = "zeros",
        units: Any = None,
    ) -> np.ndarray:
        """As `masks`, eight pixels a byte: uint8 [U, k, size, ceil(size / 8)]."""
        self._needs_all("masks")
        return self.layer(layer).masks(size, levels, border, units)

    def save(self, path: Path | str) -> None:
        """Write one file: exemplars.safetensors, or the shard's state while partial."""
        if self._state is not None:
            self._state.save(path)
            return
        arrays, layers = {}, []
        for index, (name, layer) in enumerate(self._layers.items()):
            parts = {
                "ids": layer.ids,
                "activations": layer.activations,
                "levels": layer.levels,
                "resolved": layer.resolved,
                "maps": layer.maps,
                "packed": layer.packed,
                "constant": layer.constant,
                "band_ids": layer.band_ids,
                "band_activations": layer.band_activations,
                **{f"count.{part}": array for part, array in layer.counts.items()},
            }
            if layer.distribution is not None:
                parts |= {f"spread.{k}": getattr(layer.distribution, k) for k in SPREAD}
            arrays.update({f"{index}.{k}": v for k, v in parts.items() if v is not None})
            images = layer.distribution.images if layer.distribution else 0
            layers.append({"name": name, "size": layer.size, "sample": images})
        save_tensors(path, KIND, VERSION, arrays, {"layers": layers, "meta": self.meta})

    def export_legacy(self, folder: Path | str, images: Any = None, size: int = 224) -> None:
        """Write the published layout (spec 2.5): see `milan_core.exemplars.published_layout`.

        `images` (uint8, or a dataset) may be left out when the set was mined from such images in
        this process; without any, images.npy is not written.
        """
        export_legacy(self, self.images if images is None else images, folder, size=size)

    def _needs_all(self, what: str) -> None:
        if self._state is not None:
            header = self._state.header
            msg = (
                f"{what} need the whole dataset, and this is shard "
                f"{', '.join(map(str, header.have))} of {header.of}; merge all shards first"
            )
            raise UserError(msg)


@reads("a file of exemplars", "mine the network again")
def load_exemplars(path: Path) -> ExemplarSet:
    """Read a file of `ExemplarSet.save`, whole or shard."""
    if tensors_kind(path) == SHARD_KIND:
        return ExemplarSet.from_state(MiningState.load(path))
    arrays, meta = load_tensors(path, KIND, SetMeta, (VERSION,))
    layers = {}
    check_names(meta.layers)
    for index, layer in enumerate(meta.layers):
        prefix = f"{index}."
        parts = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        check_arrays(layer.name, parts, layer.size)
        counts, spread = (_taken(parts, prefix) for prefix in ("count.", "spread."))
        layers[layer.name] = LayerExemplars(
            **parts,
            counts=counts,
            size=layer.size,
            distribution=Distribution(layer.sample, **spread) if spread else None,
        )
    return ExemplarSet(layers, meta.meta.model_dump(exclude_unset=True))


def _taken(parts: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Move the arrays whose name starts with `prefix` into a dictionary of their own."""
    names = [key for key in parts if key.startswith(prefix)]
    return {key.removeprefix(prefix): parts.pop(key) for key in names}
