"""Candidates from files: the captioner's beams, and the texts of other describers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from milan_core.core.errors import UserError, unknown
from milan_core.core.units import UnitKey
from milan_core.describers.describer import Descriptions
from milan_core.describers.options import MilanOptions, PoolOptions
from milan_core.describers.pooled import PooledUnits, Proposed
from milan_core.describers.sources import ExemplarImages
from milan_core.exemplars.store import load_exemplars
from milan_core.exemplars.table import ActivationTable
from milan_core.images.store import Dataset
from milan_core.scoring.beams import Beams, read_beams
from milan_core.scoring.tables import read_descriptions, read_methods, read_silent


def proposed_units(
    table: ActivationTable,
    dataset: Dataset,
    beams: Path,
    descriptions: Path,
    tables: Mapping[str, Path],
    methods: Sequence[Path],
    chosen: Collection[str],
    options: PoolOptions,
    exemplars: Path | None = None,
) -> PooledUnits:
    """The units of a file of beams, with the candidates of every describer.

    Args:
        table: activations on the mining images.
        dataset: the images.
        beams: candidates of the captioner.
        descriptions: by the captioner, with the status of units.
        tables: texts of further describers by name.
        methods: files that name the describer of each row.
        chosen: describers whose texts are taken from these.
        options: further tables, and images.
        exemplars: file of the units' exemplars, for a choice that looks at their masks.

    Raises:
        UserError: for a describer that no file names, and tables of other units.

    """
    from_beams = read_beams(beams)
    keys = list(from_beams.units)
    proposed = {MilanOptions.describer_name(): of_beams(from_beams)}
    named = {**tables, **{name: Path(path) for name, path in options.tables.items()}}
    for name, path in named.items():
        proposed[name] = _of_table(read_descriptions(path), keys, path)
    found: dict[str, dict[UnitKey, str]] = {}
    for path in methods:
        found |= read_methods(path)
    for name in chosen:
        if name not in found:
            raise unknown("describer", name, found, "candidates of pool")
        proposed[name] = _of_table(found[name], keys, name)
    silent = read_silent(descriptions)
    shown = None
    if exemplars is not None:
        shown = ExemplarImages(load_exemplars(exemplars), dataset.images, keys)
    return PooledUnits(table, dataset, keys, proposed, silent, options.images, shown)


def of_beams(beams: Beams) -> Proposed:
    """The candidates of a captioner with their log-probabilities."""
    logp, prior = beams.logp.astype(np.float64), beams.logp_lm.astype(np.float64)
    return Proposed(beams.captions, list(logp), list(prior))


def own_candidates(said: Descriptions, options: PoolOptions) -> dict[str, Proposed]:
    """Candidates of units that were mined here.

    Args:
        said: by the captioner, with its beams.
        options: further tables by name.

    Raises:
        UserError: for tables of other units.

    """
    beams = said.candidates
    if beams is None:
        proposed = Proposed.of_texts([row.text for row in said.rows])
    else:
        counts = [len(texts) for texts in beams.texts]
        none = np.full((len(counts), max(counts, default=0)), np.nan)
        logp = beams.scores.get("logp", none)
        prior = beams.scores.get("logp_lm", np.zeros_like(logp))  # without p(d): the same for all
        proposed = Proposed(beams.texts, _cut(logp, counts), _cut(prior, counts))
    further = {
        name: _of_table(read_descriptions(path), said.keys, path)
        for name, path in options.tables.items()
    }
    return {MilanOptions.describer_name(): proposed, **further}


def _cut(scores: np.ndarray, counts: Sequence[int]) -> list[np.ndarray]:
    """Rows without their padding, float64."""
    return [row[:count].astype(np.float64) for row, count in zip(scores, counts, strict=True)]


def _of_table(texts: Mapping[UnitKey, str], keys: Sequence[UnitKey], where: Path | str) -> Proposed:
    if not set(texts) & set(keys):
        raise UserError(f"{where} has no text of any of the {len(keys)} units that are described")
    return Proposed.of_texts([texts.get(key, "").strip() for key in keys])
