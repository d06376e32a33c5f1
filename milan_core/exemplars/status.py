"""Whether a unit shows anything: units that never change, or never rise above their level.

Such a unit has images with the largest activation by the order of their numbers alone, and empty
masks, so there is nothing to describe.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from milan_core.core.errors import UserError

if TYPE_CHECKING:
    import torch

UnitStatus = Literal["active", "dead", "constant", "saturated"]
ACTIVE: UnitStatus = "active"
UNKNOWN = "unknown"  # in tables of units of which nobody has seen an activation
SILENT: dict[str, str] = {
    "dead": "never active: 0 on every image",
    "constant": "the same value on every image",
    "saturated": "never above its level: its largest value is too frequent",
}
FLAT = ("units", "low", "high")  # arrays of `Flat`
SPREAD = 1e-12  # between the largest and the smallest value of a unit that is constant


def shows_nothing(status: str, text: str) -> bool:
    """Whether a unit of this status shows nothing to describe.

    A saturated unit that has a text was described by what ranks whole images, and counts as others.
    """
    return status in SILENT and not (status == "saturated" and text)


@dataclass
class Flat:
    """Units of one layer that had one value everywhere so far.

    Attributes:
        units: int64 [n], rising.
        low, high: float32 [n], their smallest and largest values.

    """

    units: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def read(cls, arrays: dict[str, np.ndarray], count: int) -> Flat:
        """From the arrays of a file; none are stored where there are none.

        Raises:
            ValueError: for arrays that cannot be of a layer with `count` units.

        """
        if not arrays:
            return cls(np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.float32))
        units, low, high = (arrays[part] for part in FLAT)
        kinds = [units.dtype, low.dtype, high.dtype] == [np.int64, np.float32, np.float32]
        shapes = units.ndim == 1 and units.shape == low.shape == high.shape and len(units) > 0
        if len(arrays) > len(FLAT) or not kinds or not shapes:
            raise ValueError("the flat units have another form")
        if (np.diff(units) <= 0).any() or units[0] < 0 or units[-1] >= count:
            raise ValueError(f"the flat units are not some of {count}")
        return cls(units, low, high)

    def kept(self, other: Flat) -> Flat:
        """Those that are in both and have one value in both."""
        units, mine, yours = np.intersect1d(self.units, other.units, return_indices=True)
        low = np.minimum(self.low[mine], other.low[yours])
        high = np.maximum(self.high[mine], other.high[yours])
        same = high.astype(np.float64) - low <= SPREAD
        return Flat(units[same], low[same], high[same])


@dataclass
class FlatUnits:
    """The flat units of every layer over the batches of a scan; cheap after the first batch.

    On a GPU the extremes stay there, and the host waits for them after 1, 2, 4, 8, ... batches.
    """

    _layers: dict[str, Flat] = field(default_factory=dict)
    _there: dict[str, _Extremes] = field(default_factory=dict)

    @property
    def layers(self) -> dict[str, Flat]:
        """The flat units by layer, in the order of the layers."""
        for layer in list(self._there):
            self._keep(layer, self._there.pop(layer).read())
        return self._layers

    def add(self, layer: str, maps: torch.Tensor) -> None:
        """Take in the maps (B, U, h, w) of a batch."""
        seen = self._layers.get(layer)
        if seen is not None and not len(seen.units):
            return
        units = np.arange(maps.shape[1]) if seen is None else seen.units
        if maps.device.type == "cpu":
            part = maps if seen is None else maps[:, units.tolist()]
            self._keep(layer, _flat(units, part.amin((0, 2, 3)), part.amax((0, 2, 3))))
            return
        waiting = self._there.setdefault(layer, _Extremes(units))
        waiting.add(maps, every=seen is None)
        if waiting.due:
            self._keep(layer, self._there.pop(layer).read())
            self._there[layer] = _Extremes(self._layers[layer].units, waiting.batches)

    def _keep(self, layer: str, flat: Flat | None) -> None:
        if flat is not None:
            self._layers[layer] = flat.kept(self._layers.get(layer, flat))

    def constant(self, layer: str, count: int) -> np.ndarray:
        """Bool [count]: the units of a layer that had one value on every image."""
        seen = self.layers.get(layer)
        return np.isin(np.arange(count), seen.units if seen is not None else [])


@dataclass
class _Extremes:
    """Smallest and largest values of some units (int64 [n]), on the device of the maps."""

    units: np.ndarray
    batches: int = 0  # so far, with those before
    _index: torch.Tensor | None = None
    _values: tuple[torch.Tensor, torch.Tensor] | None = None  # low, high [n]

    def add(self, maps: torch.Tensor, *, every: bool) -> None:
        """Take in maps (B, U, h, w), of which `units` are `every` one or some."""
        import torch

        from milan_core.networks.feeding import on_way

        if not every:
            if self._index is None:
                self._index = on_way(self.units, maps.device)
            maps = maps[:, self._index]
        low, high = maps.amin((0, 2, 3)), maps.amax((0, 2, 3))
        if self._values is not None:
            low, high = torch.minimum(self._values[0], low), torch.maximum(self._values[1], high)
        self._values = low, high
        self.batches += 1

    @property
    def due(self) -> bool:
        """Whether to read now: rarely, so that a scan waits for a GPU about 20 times."""
        return self.batches & (self.batches - 1) == 0

    def read(self) -> Flat | None:
        """Wait for the values; None where no batch came."""
        return None if self._values is None else _flat(self.units, *self._values)


def _flat(units: np.ndarray, low: torch.Tensor, high: torch.Tensor) -> Flat:
    """All of the units, flat or not: `kept` drops those that are not."""
    return Flat(units.astype(np.int64), *(x.float().cpu().numpy() for x in (low, high)))


def refuse_infinite(largest: Mapping[str, np.ndarray]) -> None:
    """Refuse layers with units whose largest activations float32 [U, k] overflowed.

    Raises:
        UserError: for +infinity, as half precision gives above 65504: such images have no order.

    """
    for layer, activations in largest.items():
        over = np.isposinf(activations).any(1)
        if over.any():
            raise UserError(
                f"layer {layer!r}: {int(over.sum())} of {len(activations)} units reach infinity, "
                "so their images have no order; half precision overflows at 65504: give the "
                "network float32 in its factory (`.float()`), or check the weights and the input "
                "normalization (mean, std)"
            )


def unit_status(
    counts: dict[str, np.ndarray],
    constant: np.ndarray | None,
    levels: np.ndarray,
    largest: np.ndarray,
) -> np.ndarray:
    """The status of every unit of a layer: str [U].

    Args:
        counts: uint64 [U] of values and zeros.
        constant: bool [U], units with one value; None: there are none.
        levels: float32 [U].
        largest: float32 [U], the largest value of each unit.

    """
    status = np.full(len(levels), ACTIVE, dtype=object)
    status[levels >= largest] = "saturated"
    if constant is not None:
        status[constant] = "constant"
    status[counts["zeros"] >= counts["values"]] = "dead"
    return status


def shown_status(masked: np.ndarray, activations: np.ndarray | None) -> np.ndarray:
    """The status of units of which only the exemplars are known, such as those of other programs.

    A mask with a pixel is a value above the unit's level, so the unit is active. Without one the
    unit is `dead` where all its largest activations are 0, else `saturated`: a constant unit cannot
    be told from one whose largest value is frequent.

    Args:
        masked: bool [U], whether a mask of any exemplar has a pixel.
        activations: float32 [U, k] of the exemplars; None: not known.

    """
    status = np.full(len(masked), ACTIVE, dtype=object)
    status[~masked] = "saturated"
    if activations is not None:
        status[~masked & (activations == 0).all(1)] = "dead"
    return status


def status_counts(statuses: Iterable[str]) -> dict[str, int]:
    """Count the units of each status, in the order of `SILENT`; those without are left out."""
    counts = Counter(statuses)
    return {name: counts[name] for name in (*SILENT, UNKNOWN) if counts[name]}


def status_sentence(statuses: Collection[str], units: int) -> str:
    """Count the units without text because they show nothing, and say why; empty where all do."""
    counts = status_counts(statuses)
    if not counts:
        return ""
    if UNKNOWN in counts:
        return (
            f"Whether the {units} units show anything is unknown: nothing here has seen their "
            "activations."
        )
    why = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"{sum(counts.values())} of {units} units show nothing to describe ({why})."
