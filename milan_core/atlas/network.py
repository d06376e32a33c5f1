"""The chunks of one network: an index of all units, and details by blocks of units."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from milan_core.atlas import masks
from milan_core.atlas.candidates import Candidate, Candidates, envelope
from milan_core.atlas.chunks import parts, read_chunk, write_chunk
from milan_core.atlas.files import NetworkFiles
from milan_core.atlas.histogram import histogram
from milan_core.atlas.neighbors import Near
from milan_core.atlas.pictures import Pictures
from milan_core.atlas.said import Said, of_unit
from milan_core.atlas.units import UnitRecord
from milan_core.core.errors import UserError
from milan_core.core.names import file_name
from milan_core.core.progress import tracked
from milan_core.core.seeding import generator
from milan_core.core.tables import grouped
from milan_core.exemplars.store import ExemplarSet

INDEX, BLOCK = 512, 32  # units of a chunk of the index, and of details
WORD = re.compile(r"\w+")


@dataclass
class NetworkContent:
    """One network, read; units are numbered in the order of its descriptions."""

    files: NetworkFiles
    units: list[UnitRecord]
    exemplars: ExemplarSet
    said: Said
    candidates: Candidates
    near: Near = field(default_factory=list)
    near_texts: Near = field(default_factory=list)

    @property
    def slug(self) -> str:
        """Its name in file names."""
        return file_name(self.files.name)

    @property
    def layers(self) -> list[str]:
        """Layers in the order of the units."""
        return list(dict.fromkeys(unit.layer for unit in self.units))


def check_units(content: NetworkContent) -> None:
    """Refuse descriptions of units that were not mined."""
    counts = content.exemplars.units
    for unit in content.units:
        if unit.unit >= counts.get(unit.layer, 0):
            raise UserError(
                f"atlas: {content.files.name!r} has a description of layer {unit.layer!r} unit "
                f"{unit.unit}, which its exemplars lack; they come from different runs, so "
                "describe it again"
            )


def write_network(content: NetworkContent, pictures: Pictures, out: Path) -> list[list[int]]:
    """Write all chunks; returns the places of each unit's exemplars, best first."""
    places = _write_exemplars(content, pictures, out)
    layers = content.layers
    for number, part in parts(content.units, INDEX):
        write_chunk(out, f"{content.slug}/index-{number}", _index(part, content, layers))
        words = [_further_words(unit, content) for unit in part]
        write_chunk(out, f"{content.slug}/words-{number}", words)
        write_chunk(out, f"{content.slug}/lambda-{number}", _stretches(part, content.candidates))
    for number, units in parts(range(len(content.units)), BLOCK):
        details = [_details(place, content) for place in units]
        write_chunk(out, f"{content.slug}/more-{number}", details)
    return places


def picked_unit(content: NetworkContent, out: Path) -> dict[str, Any]:
    """Read back the card of one unit, drawn with a fixed seed, from the chunks."""
    place = int(generator(0, "atlas", content.files.name).integers(len(content.units)))
    row = _index([content.units[place]], content, content.layers)
    shown = read_chunk(out, f"{content.slug}/shown-{place // BLOCK}")[place % BLOCK]
    return {"unit": place, "row": {name: one for name, (one,) in row.items()}, "shown": shown}


def _index(
    units: Sequence[UnitRecord], content: NetworkContent, layers: Sequence[str]
) -> dict[str, list[Any]]:
    """Columns of the index: what lists show, filter and sort by."""
    number_of = {layer: place for place, layer in enumerate(layers)}
    scores = [content.said.main_scores(unit.key) for unit in units]
    values = [one[1] if one else (float("nan"),) * 6 for one in scores]
    graded = any(unit.tendency for unit in content.units)
    return {
        "layer": [number_of[unit.layer] for unit in units],
        "unit": [unit.unit for unit in units],
        "text": [unit.shown if unit.says else unit.text for unit in units],
        "status": [unit.status for unit in units],
        "says": [int(unit.says) for unit in units],
        "verdict": [unit.verdict for unit in units],
        "concept": [unit.concept if unit.specific else "" for unit in units],
        "confidence": [unit.confidence for unit in units],
        "corr": [one[0] for one in values],
        "corrLow": [one[1] for one in values],
        "corrHigh": [one[2] for one in values],
        "auprc": [one[3] for one in values],
        "logp": [unit.logp for unit in units],
        "prior": [unit.logp_lm for unit in units],
        "score": [unit.score for unit in units],
        "coverage": [unit.coverage for unit in units],
        "importance": [unit.importance for unit in units],
        "largest": [
            float(content.exemplars.activations(unit.layer)[unit.unit, 0]) for unit in units
        ],
        **({"tendency": [unit.tendency for unit in units]} if graded else {}),
    }


def _further_words(unit: UnitRecord, content: NetworkContent) -> str:
    """Words that others said of a unit and its text does not hold, each once.

    Texts that say nothing of the unit (trivial baselines, controls) are left out.
    """
    said = content.said.of(unit.key)
    others = [one.text for name, one in said.items() if of_unit(name)]
    others += [text for _, text in unit.annotations] + [unit.concept, *unit.likely]
    own = set(WORD.findall(unit.text.lower()))
    words = dict.fromkeys(word for text in others for word in WORD.findall(text.lower()))
    return " ".join(word for word in words if word not in own)


def _stretches(units: Sequence[UnitRecord], candidates: Candidates) -> dict[str, Any]:
    """The best text at every lambda: distinct texts, and (lambda, text) pairs of each unit."""
    texts: dict[str, int] = {}
    rows = []
    for unit in units:
        ranked = candidates.get(unit.key, ())
        rows.append(
            [
                part
                for at, place in envelope(ranked)
                for part in (at, texts.setdefault(ranked[place].text, len(texts)))
            ]
        )
    return {"texts": list(texts), "units": rows}


def _write_exemplars(content: NetworkContent, pictures: Pictures, out: Path) -> list[list[int]]:
    """Chunks of exemplars: places, activations, masks, heat; returns the places."""
    exemplars, every = content.exemplars, []
    blocks = tracked(
        parts(content.units, BLOCK),
        f"exemplars of {content.files.name}",
        "unit",
        total=len(content.units),
        size=lambda one: len(one[1]),
    )
    for number, units in blocks:
        rows: dict[int, dict[str, Any]] = {}
        order = list(enumerate(units))
        for layer, members in grouped(order, lambda pair: pair[1].layer).items():
            numbers = np.array([unit.unit for _, unit in members])
            shown = _layer_rows(exemplars, layer, numbers)
            rows |= {place: row for (place, _), row in zip(members, shown, strict=True)}
        ready = [rows[place] for place in range(len(units))]
        _take_places(ready, pictures)
        every += [row["i"] for row in ready]
        write_chunk(out, f"{content.slug}/shown-{number}", ready)
    return every


FIRST = 5  # exemplars that lists show


def _take_places(rows: Sequence[dict[str, Any]], pictures: Pictures) -> None:
    """Turn image numbers into places, those that lists show first."""
    for row in rows:
        pictures.places(row["i"][:FIRST])
    for row in rows:
        row["n"], row["i"] = row["i"].tolist(), pictures.places(row["i"])
    for row in rows:
        if "b" in row:
            row["b"] = [[pictures.places(ids), values] for ids, values in row["b"]]


def _layer_rows(exemplars: ExemplarSet, name: str, units: np.ndarray) -> list[dict[str, Any]]:
    """Of each unit: images i, activations a, masks m, heat h, level l, bands b.

    `_take_places` turns the images into places and keeps their numbers as n.
    """
    layer = exemplars.layer(name)
    bits = masks.layer_masks(layer, units)
    heat = None
    if layer.maps is not None:
        heat = masks.heat_levels(layer.maps[units], layer.activations[units, 0])
    rows = []
    for place, unit in enumerate(units.tolist()):
        row = {
            "i": layer.ids[unit],
            "a": layer.activations[unit].tolist(),
            "m": [masks.runs(mask) for mask in bits[place]],
            "l": float(layer.levels[unit]),
        }
        if heat is not None:
            row["h"] = [masks.heat(one) for one in heat[place]]
        if layer.band_ids is not None and layer.band_activations is not None:
            pairs = zip(layer.band_ids[unit], layer.band_activations[unit], strict=True)
            row["b"] = [(ids[ids >= 0], values[ids >= 0].tolist()) for ids, values in pairs]
        rows.append(row)
    return rows


def _details(place: int, content: NetworkContent) -> dict[str, Any]:
    """What only the page of a unit shows."""
    unit = content.units[place]
    distribution = content.exemplars.distribution(unit.layer)
    level = float(content.exemplars.levels(unit.layer)[unit.unit])
    judges = content.said.judges
    texts: dict[str, Any] = {
        "said": {
            name: [one.text, *([one.status.get(j, ""), one.scores.get(j)] for j in judges)]
            for name, one in content.said.of(unit.key).items()
        },
        "shown": unit.shown,
        "text": unit.text,
        "likely": unit.likely,
        "labels": unit.labels,
        "linear": unit.linear,
        "annotations": unit.annotations,
        "truth": [unit.concept, unit.tier, unit.coverage, unit.support, int(unit.specific)],
        "within": unit.within_side if unit.within else "",
        "grade": [unit.grade, unit.tendency, unit.share, unit.base] if unit.grade else None,
        "candidates": _ranked(content.candidates.get(unit.key, ())),
        "histogram": histogram(distribution, unit.unit, level) if distribution else None,
        "near": content.near[place] if content.near else None,
        "nearText": content.near_texts[place] if content.near_texts else None,
    }
    return {key: value for key, value in texts.items() if value}


def _ranked(candidates: Sequence[Candidate]) -> Mapping[str, list[Any]] | None:
    """Columns of a unit's candidates; those without any number are left out."""
    if not candidates:
        return None
    columns: dict[str, list[Any]] = {
        "text": [one.text for one in candidates],
        "source": [one.source for one in candidates],
        "logp": [one.logp for one in candidates],
        "prior": [one.logp_lm for one in candidates],
    }
    for name in ("fit", "score", "wins"):
        values = [getattr(one, name) for one in candidates]
        if any(value == value for value in values):
            columns[name] = values
    return columns
