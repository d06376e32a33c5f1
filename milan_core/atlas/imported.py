"""Texts of others as one more describer of an atlas: any CSV table, or the units of a pack."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from milan_core.annotations.records import unit_text
from milan_core.atlas.chunks import read_chunk, write_chunk
from milan_core.core.errors import UserError, unknown
from milan_core.core.files import numbered_rows
from milan_core.core.units import UnitKey
from milan_core.scoring.units import unit_key

TEXTS = ("description", "text", "label", "summary")
"""Columns that may hold the text, in this order."""
NETWORKS = ("network", "model")


def read_texts(path: Path, network: str = "") -> dict[str, dict[UnitKey, str]]:
    """Texts by network and unit of a CSV table, or of the catalogue of a pack's folder.

    Args:
        path: columns layer, unit, a text, and the network where there are several.
        network: of a table without a column of it.

    Raises:
        UserError: for a table without a text, or a unit with two.

    """
    table = path / "units.csv" if path.is_dir() else path
    texts: dict[str, dict[UnitKey, str]] = {}
    for line, row in numbered_rows(table, ("layer", "unit")):
        column = next((name for name in TEXTS if name in row), None)
        if column is None:
            raise UserError(f"{table}: no column of a text; name one {', '.join(TEXTS)}")
        named = next((row[name] for name in NETWORKS if name in row), network)
        said, key = texts.setdefault(named, {}), unit_key(row, table)
        if key in said:
            raise UserError(f"{table}, line {line}: unit {key[1]} of {key[0]} appears twice")
        said[key] = unit_text(row[column], f"{table}, line {line}")
    return texts


def add_describer(
    atlas: Path, name: str, texts: Mapping[str, Mapping[UnitKey, str]]
) -> dict[str, int]:
    """Add texts to the chunks of an atlas, in place; returns how many each network got.

    A table of one unnamed network belongs to the only network of the atlas.

    Raises:
        UserError: for a describer that the atlas has, a network or a unit that it lacks.

    """
    run = read_chunk(atlas, "run")
    nets = {net["name"]: net for net in run["networks"]}
    given = dict(texts)
    if "" in given:
        if len(nets) != 1:
            raise UserError(
                f"the table names no network and the atlas has {len(nets)} "
                f"({', '.join(nets)}); give a column network, or --network"
            )
        given = {next(iter(nets)): given[""]}
    added = {}
    for network, said in given.items():
        if network not in nets:
            raise unknown("network", network, list(nets), "the atlas")
        added[network] = _add(atlas, run, nets[network], name, dict(said))
    write_chunk(atlas, "run", run)
    return added


def _add(
    atlas: Path, run: Mapping[str, Any], net: dict[str, Any], name: str, said: dict[UnitKey, str]
) -> int:
    """Add the texts of one network; every one of `said` must find its unit."""
    if any(one["id"] == name for one in net["describers"]):
        raise UserError(f"the atlas has a describer {name!r} of {net['name']!r}; give another name")
    size, block = run["sizes"]["index"], run["sizes"]["block"]
    layers, count = [layer["name"] for layer in net["layers"]], 0
    for number in range(-(-net["units"] // size)):
        index = read_chunk(atlas, f"{net['slug']}/index-{number}")
        words = read_chunk(atlas, f"{net['slug']}/words-{number}")
        keys = [(layers[at], unit) for at, unit in zip(index["layer"], index["unit"], strict=True)]
        for first in range(0, len(keys), block):
            key = f"{net['slug']}/more-{(number * size + first) // block}"
            entries = read_chunk(atlas, key)
            for place, entry in enumerate(entries, first):
                text = said.pop(keys[place], None)
                if text is not None:
                    unscored = [["", None] for _ in net["judges"]]
                    entry.setdefault("said", {})[name] = [text, *unscored]
                    words[place] = " ".join(filter(None, [words[place], text.lower()]))
                    count += 1
            write_chunk(atlas, key, entries)
        write_chunk(atlas, f"{net['slug']}/words-{number}", words)
    if said:
        layer, unit = min(said)
        raise UserError(f"{net['name']!r} of the atlas has no unit {unit} of layer {layer!r}")
    net["describers"].append({"id": name, "label": name, "kind": "describer", "mean": {}})
    return count
