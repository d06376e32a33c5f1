"""The request of a scan: checked once, shared by the native and the NumPy backend."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from milan_core.core.errors import UserError

MODES = ("top", "bottom", "magnitude")
EXACT_BITS = 23  # every float32 is a bin of its own
EXACT_BYTES = 8 << 30  # largest memory that exact levels may take


def rank_from_top(quantile: float, count: int) -> int:
    """Which largest value is the `quantile` of `count` values: n - ceil(q n) + 1, in 1..n."""
    return count - max(1, math.ceil(quantile * count)) + 1 if count else 1


def _whole(name: str, value: Any) -> int:
    """A number of any type without a fraction."""
    try:
        number = int(value)
        if number == value:
            return number
    except (TypeError, ValueError, OverflowError):
        pass
    raise UserError(f"ScanState: {name} must be a whole number, got {value!r}")


def _numbers(quantile: Any) -> tuple[float, ...]:
    """One number or several, of any type."""
    try:
        return tuple(float(q) for q in np.atleast_1d(quantile))
    except (TypeError, ValueError):
        raise UserError(f"ScanState: quantiles must be numbers, got {quantile!r}") from None


@dataclass(frozen=True)
class ScanSpec:
    """Size and rules of one scan; two states can be merged exactly when these agree."""

    units: int
    map_shape: tuple[int, int]
    k: int
    quantiles: tuple[float, ...]
    total_images: int
    mode: str = "top"
    bits: int = 10
    keep_maps: bool = True

    @classmethod
    def ensure(
        cls,
        units: int,
        map_shape: Sequence[int],
        k: int,
        quantile: float | Sequence[float],
        total_images: int,
        mode: str = "top",
        bits: int = 10,
        keep_maps: bool = True,
    ) -> ScanSpec:
        """A checked spec; `quantile` may be one number or several."""
        many = _numbers(quantile)
        if not hasattr(map_shape, "__len__") or len(map_shape) != 2:
            raise UserError(f"ScanState: map_shape must be (height, width), got {map_shape!r}")
        sizes = {"units": units, "k": k, "height": map_shape[0], "width": map_shape[1]}
        for name, value in sizes.items():
            if not 0 < _whole(name, value) < 2**31:
                raise UserError(f"ScanState: {name} must be in 1..2**31-1, got {value}")
        height, width = int(map_shape[0]), int(map_shape[1])
        if height * width >= 2**31:
            raise UserError(f"ScanState: a map of {height} x {width} has 2**31 values or more")
        if not 0 < _whole("total_images", total_images) <= 2**32:
            raise UserError(f"ScanState: total_images must be in 1..2**32, got {total_images}")
        if not many or not all(0.0 < q <= 1.0 for q in many):
            raise UserError(f"ScanState: quantiles must be in (0, 1], got {quantile!r}")
        if mode not in MODES:
            raise UserError(f"ScanState: mode must be one of {', '.join(MODES)}, got {mode!r}")
        if not (1 <= _whole("bits", bits) <= 16 or int(bits) == EXACT_BITS):
            raise UserError(
                f"ScanState: bits must be in 1..16, or {EXACT_BITS} for exact levels, got {bits}"
            )
        spec = cls(
            int(units),
            (height, width),
            int(k),
            tuple(sorted(set(many))),
            int(total_images),
            mode,
            int(bits),
            bool(keep_maps),
        )
        spec.check_memory()
        return spec

    def check_memory(self) -> None:
        """Refuse exact levels that could need more than `EXACT_BYTES`."""
        need = 20 * self.units * self.rank if self.bits == EXACT_BITS else 0
        if need > EXACT_BYTES:
            raise UserError(
                f"ScanState: exact levels keep up to {self.rank} values for each of {self.units} "
                f"units, {need / 2**30:.1f} GiB, more than {EXACT_BYTES >> 30} GiB; use fewer bits "
                "(10: within 0.1 %), fewer images, or a higher quantile"
            )

    @property
    def pixels(self) -> int:
        """Values of one unit in one image."""
        return self.map_shape[0] * self.map_shape[1]

    @property
    def rank(self) -> int:
        """The number of largest values that may hold the smallest quantile, over all shards."""
        return rank_from_top(self.quantiles[0], self.total_images * self.pixels)

    @property
    def mode_code(self) -> int:
        """The mode as the native code numbers it."""
        return MODES.index(self.mode)

    def native_arguments(self) -> tuple[Any, ...]:
        """The arguments of a native scan's constructor."""
        return (
            self.units,
            self.pixels,
            self.k,
            self.rank,
            self.mode_code,
            self.bits,
            self.keep_maps,
        )

    def to_meta(self) -> dict[str, Any]:
        """JSON form."""
        meta = asdict(self)
        return {**meta, "map_shape": list(self.map_shape), "quantiles": list(self.quantiles)}

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> ScanSpec:
        """The spec of `to_meta`; a missing or impossible entry is a `UserError`."""
        try:
            return cls.ensure(
                meta["units"],
                meta["map_shape"],
                meta["k"],
                meta["quantiles"],
                meta["total_images"],
                meta["mode"],
                meta["bits"],
                meta["keep_maps"],
            )
        except KeyError as error:
            raise UserError(f"scan state: the header lacks {error.args[0]!r}") from None
        except (TypeError, ValueError, OverflowError) as error:
            raise UserError(f"scan state: the header is damaged ({error})") from None

    def difference(self, other: ScanSpec) -> str | None:
        """The first field in which two specs differ, in words, or None."""
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if mine != theirs:
                return f"{field.name} differs: {mine!r} and {theirs!r}"
        return None
