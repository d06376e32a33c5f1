"""A catalog for browsers of units: one PNG an exemplar and one data.json (spec 7).

    data.json   {name, architecture, dataset, layers, units: [{layer, unit, images, description}]}

`images` are URLs: `base_url` followed by the picture's path. Descriptions are given, not read back
from a file that an earlier run may have left, so the first run works as the second (spec 6.2-18).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from milan_core.annotations.pictures import picture_path, write_pictures
from milan_core.annotations.released import AnnotationSet
from milan_core.core.files import write_json
from milan_core.core.units import UnitKey


def write_catalog(
    annotation_set: AnnotationSet,
    descriptions: Mapping[UnitKey, str],
    folder: Path | str,
    *,
    key: str,
    base_url: str = "",
) -> int:
    """Write pictures and data.json for the described units of a set; returns how many units.

    `key` is `<architecture>/<data set>`; without `base_url` the URLs are relative to data.json.
    """
    architecture, _, dataset = key.partition("/")
    chosen = [unit for unit in annotation_set if (unit.layer, unit.unit) in descriptions]
    write_pictures(chosen, folder)
    units: list[dict[str, Any]] = [
        {
            "layer": unit.layer,
            "unit": unit.unit,
            "images": [
                picture_url(base_url, unit.layer, unit.unit, rank) for rank in range(len(unit.ids))
            ],
            "description": descriptions[unit.layer, unit.unit],
        }
        for unit in chosen
    ]
    data = {
        "name": key,
        "architecture": architecture,
        "dataset": dataset,
        "layers": list(dict.fromkeys(unit.layer for unit in chosen)),
        "units": units,
    }
    write_json(Path(folder) / "data.json", data)
    return len(units)


def picture_url(base_url: str, layer: str, unit: int, rank: int) -> str:
    """The URL of a picture that `write_pictures` wrote to what `base_url` serves."""
    path = quote(picture_path(layer, unit, rank))
    return f"{base_url.rstrip('/')}/{path}" if base_url else path
