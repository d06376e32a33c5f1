"""The descriptions of a captioner and its controls in blocks of units, which jobs may share.

Units are decoded in blocks of `UNITS` whatever the number of jobs, so that the products of a block
have the same shapes, and their results the same bytes, wherever it is decoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.captioner.features.store import FeatureTable
from milan_core.core.errors import UserError
from milan_core.core.parts import Block, Work, as_array, from_array
from milan_core.core.shapes import check_arrays
from milan_core.core.units import UnitKey
from milan_core.describers.describer import Candidates, Description, Descriptions
from milan_core.describers.driver import describe
from milan_core.describers.milan import Milan, searches
from milan_core.describers.sources import FeatureUnits

UNITS = 1024  # of a block
Said = dict[str, Descriptions]


def describing(milan: Milan, table: FeatureTable, path: Path) -> Work:
    """The descriptions of all units by the captioner and its controls but `prior_only`."""
    found = searches(milan, table)
    count = max(1, -(-len(table.rows) // UNITS))

    def make(number: int) -> Block:
        part = table.part(number * UNITS, (number + 1) * UNITS)
        arrays: dict[str, np.ndarray] = {}
        for name, (search, masking) in found.items():
            _check_finite(part, masking, path)
            said = describe(search, FeatureUnits(part, path, masking))
            arrays |= {f"{name}/{key}": array for key, array in _packed(said).items()}
        return arrays

    return Work(count, make, network=None)


def _check_finite(table: FeatureTable, masking: str, path: Path) -> None:
    finite = np.isfinite(table.arrays[masking]).all(axis=(1, 2))
    if not finite.all():
        layer, unit = table.rows[int(finite.argmin())]
        raise UserError(
            f"{path}: the features of layer {layer!r}, unit {unit} are not finite; check its "
            "exemplars"
        )


def _packed(said: Descriptions) -> dict[str, np.ndarray]:
    rows = [[row.text, row.score, dict(row.cells), row.failed, row.silent] for row in said.rows]
    facts: dict[str, Any] = {"rows": rows, "keys": list(said.keys), "seen": said.seen}
    arrays = {}
    if said.candidates is not None:
        facts["candidates"] = [list(texts) for texts in said.candidates.texts]
        arrays = {f"scores/{name}": array for name, array in said.candidates.scores.items()}
    return {"said": as_array(facts), **arrays}


def read_said(block: Block) -> Said:
    """What each search says of the units of a block."""
    names = dict.fromkeys(name.partition("/")[0] for name in block)
    return {
        name: _unpacked({k: block[k] for k in block if k.startswith(f"{name}/")}) for name in names
    }


def _unpacked(block: Block) -> Descriptions:
    arrays = {name.partition("/")[2]: array for name, array in block.items()}
    facts = from_array(arrays.pop("said"))
    keys: list[UnitKey] = [(str(layer), int(unit)) for layer, unit in facts["keys"]]
    rows = [
        Description(text, score, cells, failed, silent)
        for text, score, cells, failed, silent in facts["rows"]
    ]
    candidates = None
    if "candidates" in facts:
        check_arrays(arrays, dict.fromkeys(arrays, "floats units candidates"), units=len(keys))
        scores = {name.removeprefix("scores/"): array for name, array in arrays.items()}
        candidates = Candidates(facts["candidates"], scores)
    return Descriptions(keys, rows, candidates, bool(facts["seen"]))


def join_said(blocks: Iterable[Said], milan: Milan, table: FeatureTable) -> Said:
    """What each of `searches` says of all units; refuses blocks of other units or searches."""
    parts, names = list(blocks), list(searches(milan, table))
    if any(set(part) != set(names) for part in parts):
        raise UserError(f"parts of descriptions lack some of {', '.join(names)}; make them again")
    said = {name: _joined([part[name] for part in parts]) for name in names}
    if any(list(one.keys) != table.rows for one in said.values()):
        raise UserError(
            "parts of descriptions are of other units than the features; make them again"
        )
    return said


def _joined(parts: Sequence[Descriptions]) -> Descriptions:
    keys = [key for part in parts for key in part.keys]
    rows = [row for part in parts for row in part.rows]
    given = [part.candidates for part in parts if part.candidates is not None]
    candidates = None
    if given:
        texts = [one for part in given for one in part.texts]
        scores = {
            name: np.concatenate([one.scores[name] for one in given]) for name in given[0].scores
        }
        candidates = Candidates(texts, scores)
    return Descriptions(keys, rows, candidates, all(part.seen for part in parts))
