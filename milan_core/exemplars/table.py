"""The activation table: one pooled value of every unit on every image, kept by the mining pass.

The rows are the units, layer by layer, and the columns the images of a data set. Values are float16
under one power of two a unit, so that the largest lies in [2^14, 2^15): none overflows, and the
relative error is 2^-11 at most. A table of some shards holds float32 and waits for `merge_tables`;
the merged bytes depend on the images alone. Files are mapped, and readers go by blocks of units:
50,000 images x 4,904 units are 0.5 GB on disk and one block in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from milan_core.core.arrays import map_new
from milan_core.core.errors import UserError, reads, unknown
from milan_core.core.files import canonical_json
from milan_core.core.options import Content, Section, sentences
from milan_core.core.shapes import check_arrays
from milan_core.core.tensors import map_tensors, save_tensors
from milan_core.core.units import UnitKey
from milan_core.exemplars.options import Pool

KIND, VERSION = "milan-activations", 1
ARRAYS = {"ids": "int64 images", "heldout": "bool images"}
BLOCK = 64 << 20  # bytes of float32 that a block of units takes


class TableFacts(Section):
    """The settings of a table; equal in all shards of one table."""

    model: str  # name for people
    model_hash: str  # of the weights
    dataset: str  # fingerprint
    images: int  # in the whole data set
    layers: tuple[tuple[str, int], ...]  # (name, units)
    pools: tuple[Pool, ...] = ("max",)
    mode: str = "top"  # as mining: values are negated first (bottom) or made absolute (magnitude)
    input: str = ""  # canonical JSON of the InputSpec; empty for ready-made tensors
    dtype: str = "float32"  # of the network
    split: str = ""  # how held-out images were chosen; empty: all images have one role
    block: int = 0  # which part of every layer's units
    blocks: int = 1  # number of parts; see `exemplars.blocks`

    @property
    def units(self) -> int:
        """Units of all layers."""
        return sum(count for _, count in self.layers)


class ActivationTable:
    """Pooled activations of the units of a network on the images of a data set.

    Args:
        facts: what it was made of.
        ids: int64 [n], numbers of the images in their data set, rising.
        heldout: bool [n], images that no describer has seen.
        values: by pool, float16 [U, n] scaled by unit (whole tables) or float32 [U, n] (shards).
        scales: by pool, float32 [U], powers of two that stored values are multiplied with; empty
            for shards.

    """

    def __init__(
        self,
        facts: TableFacts,
        ids: np.ndarray,
        heldout: np.ndarray,
        values: Mapping[Any, np.ndarray],
        scales: Mapping[Any, np.ndarray] | None = None,
    ) -> None:
        self.facts, self.ids, self.heldout = facts, ids, heldout
        self._values, self._scales = dict(values), dict(scales or {})

    @property
    def complete(self) -> bool:
        """False for a shard that still has to be merged with others."""
        return bool(self._scales)

    @property
    def keys(self) -> list[UnitKey]:
        """(layer, unit) of every row."""
        return [(layer, unit) for layer, count in self.facts.layers for unit in range(count)]

    @property
    def shape(self) -> tuple[int, int]:
        """(units, images)."""
        return self.facts.units, len(self.ids)

    def rows_of(self, keys: Sequence[UnitKey]) -> np.ndarray:
        """Row of each unit: int64, -1 for units that the table does not have."""
        row_of = {key: row for row, key in enumerate(self.keys)}
        return np.array([row_of.get(key, -1) for key in keys], np.int64)

    def block(
        self, rows: slice | np.ndarray, pool: str = "max", images: np.ndarray | None = None
    ) -> np.ndarray:
        """Values of some units: float32 [units, images].

        Args:
            rows: their rows.
            pool: how an image's map became one number.
            images: positions of columns, integers or bool [n]; None: all.

        """
        if pool not in self._values:
            raise unknown("pool", pool, self._values, where="this activation table")
        values = self._values[pool][rows]
        values = values if images is None else values[:, images]
        if not self._scales:
            return np.array(values, np.float32)
        return values.astype(np.float32) * self._scales[pool][rows, None]

    def blocks(
        self,
        pool: str = "max",
        images: np.ndarray | None = None,
        rows: np.ndarray | None = None,
        limit: int = BLOCK,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(rows int64 [u], values float32 [u, images]) for all or some rows, block by block.

        A block has as many units as fit into `limit` bytes of float32, at least one.
        """
        rows = np.arange(self.facts.units) if rows is None else np.asarray(rows, np.int64)
        step = max(1, limit // (4 * max(1, len(self.ids))))
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            yield part, self.block(part, pool, images)

    def save(self, path: Path | str) -> None:
        """Write one safetensors file of kind milan-activations."""
        arrays = {"ids": self.ids, "heldout": self.heldout}
        arrays |= {f"values.{pool}": array for pool, array in self._values.items()}
        arrays |= {f"scales.{pool}": array for pool, array in self._scales.items()}
        whole = {"block", "blocks"} if self.facts.blocks == 1 else set()
        facts = self.facts.model_dump(mode="json", exclude=whole)
        save_tensors(path, KIND, VERSION, arrays, {"facts": facts})


class TableMeta(Content):
    """Metadata of a file of `ActivationTable.save`."""

    facts: dict[str, Any]  # TableFacts


@reads("a table of activations")
def open_table(path: Path) -> ActivationTable:
    """Map a file of `ActivationTable.save`; refuses damage, other kinds and other versions."""
    arrays, meta = map_tensors(path, KIND, TableMeta, (VERSION,))
    try:
        facts = TableFacts.model_validate_json(canonical_json(meta.facts))
        values, scales = (
            {name.removeprefix(part): array for name, array in arrays.items() if part in name}
            for part in ("values.", "scales.")
        )
        table = ActivationTable(
            facts, np.array(arrays["ids"]), np.array(arrays["heldout"]), values, scales
        )
        check_arrays(arrays, ARRAYS, units=facts.units)
        forms = {f"values.{pool}": "floats units images" for pool in facts.pools}
        forms |= {f"scales.{pool}": "float32 units" for pool in scales}
        check_arrays(arrays, forms, units=facts.units, images=len(table.ids))
        if set(values) != set(facts.pools) or not scales.keys() <= values.keys():
            raise ValueError(f"its pools are {', '.join(values)}")
    except ValidationError as error:
        raise UserError(f"{path}: {sentences(error, TableFacts, 'the header')}") from None
    return table


def merge_tables(
    tables: Sequence[ActivationTable], scratch: Path | None = None, limit: int = BLOCK
) -> ActivationTable:
    """The whole table of all shards, images by number; the same bytes for any sharding.

    Args:
        tables: shards, in any order.
        scratch: folder for the values while the table is made; None: memory.
        limit: bytes of float32 that are worked on at once.

    Raises:
        UserError: for shards of different work, an image in two shards, and missing images.

    """
    if not tables:
        raise UserError("no activation tables to merge; give those of all shards")
    if tables[0].facts.blocks > 1:
        return _joined_blocks(tables, scratch, limit)
    return _merge_images(tables, scratch, limit)


def _joined_blocks(
    tables: Sequence[ActivationTable], scratch: Path | None, limit: int
) -> ActivationTable:
    """The whole table from those of all blocks of units."""
    first = tables[0].facts
    parts: dict[int, list[ActivationTable]] = {}
    for table in tables:
        _check_same(first, table.facts, but=("block", "layers"))
        parts.setdefault(table.facts.block, []).append(table)
    if missing := sorted(set(range(first.blocks)) - set(parts)):
        raise UserError(
            f"the activation table of unit shard {', '.join(map(str, missing))} of "
            f"{first.blocks} is missing; give all shards"
        )
    merged = [_merge_images(parts[block], None, limit) for block in range(first.blocks)]
    counts = [dict(table.facts.layers) for table in merged]
    layers = tuple((name, sum(count[name] for count in counts)) for name in counts[0])
    facts = first.model_copy(update={"layers": layers, "block": 0, "blocks": 1})
    shape = (facts.units, facts.images)
    values, scales = {}, {}
    for pool in facts.pools:
        values[pool] = _new_values(shape, pool, scratch)
        scales[pool] = np.ones(facts.units, np.float32)
        row, starts = 0, [0] * len(merged)
        for name, _ in layers:
            for index, (table, count) in enumerate(zip(merged, counts, strict=True)):
                rows = slice(starts[index], starts[index] + count[name])
                here = slice(row, row + count[name])
                values[pool][here] = table._values[pool][rows]
                scales[pool][here] = table._scales[pool][rows]
                row, starts[index] = here.stop, rows.stop
    return ActivationTable(facts, merged[0].ids, merged[0].heldout, values, scales)


def _merge_images(
    tables: Sequence[ActivationTable], scratch: Path | None, limit: int
) -> ActivationTable:
    """The table of some units over all images."""
    facts = tables[0].facts
    for table in tables[1:]:
        _check_same(facts, table.facts)
    ids = np.concatenate([table.ids for table in tables])
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    if (np.diff(ids) == 0).any():
        raise UserError("two activation tables hold the same image; give every shard once")
    if len(ids) != facts.images:
        raise UserError(
            f"the activation tables hold {len(ids)} of {facts.images} images; give all shards"
        )
    heldout = np.concatenate([table.heldout for table in tables])[order]
    merged = {pool: _merged(tables, pool, order, scratch, limit) for pool in facts.pools}
    return ActivationTable(
        *(facts, ids, heldout),
        {pool: values for pool, (values, _) in merged.items()},
        {pool: scales for pool, (_, scales) in merged.items()},
    )


def _merged(
    tables: Sequence[ActivationTable],
    pool: str,
    order: np.ndarray,
    scratch: Path | None,
    limit: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Scaled float16 [U, n] and the scale float32 [U] of one pool."""
    units = tables[0].facts.units
    shape = (units, len(order))
    values = _new_values(shape, pool, scratch)
    scales = np.ones(units, np.float32)
    step = max(1, limit // (4 * max(1, len(order))))
    for start in range(0, units, step):
        rows = slice(start, start + step)
        block = np.concatenate([table.block(rows, pool) for table in tables], axis=1)[:, order]
        scales[rows] = _scale(block)
        values[rows] = (block / scales[rows, None]).astype(np.float16)
    return values, scales


def _new_values(shape: tuple[int, int], pool: str, scratch: Path | None) -> np.ndarray:
    if scratch is None:
        return np.zeros(shape, np.float16)
    return map_new(scratch / f"activations.{pool}.npy", shape, np.float16)


def _scale(block: np.ndarray) -> np.ndarray:
    """The power of two that brings the largest value of each unit to [2^14, 2^15)."""
    largest = np.abs(np.where(np.isfinite(block), block, 0)).max(1, initial=0)
    exponent = np.where(largest > 0, np.frexp(largest)[1] - 15, 0)
    return np.ldexp(np.float32(1), np.clip(exponent, -126, 127)).astype(np.float32)


def _check_same(first: TableFacts, other: TableFacts, but: Sequence[str] = ()) -> None:
    a: dict[str, Any] = first.model_dump()
    for key, value in other.model_dump().items():
        if key not in but and a[key] != value:
            raise UserError(
                f"the activation tables do not belong together: {key} is {a[key]!r} in one and "
                f"{value!r} in another; mine all shards with the same network, images and settings"
            )
