"""Packs: an atlas with its catalogue, a card for hubs of data sets, and a record of every file.

`milan verify PACK` compares every file with the record (`provenance.json`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from milan_core.atlas.catalogue import write_catalogue
from milan_core.atlas.chunks import read_chunk
from milan_core.core.files import write_text

_CARD = """---
license: other
pretty_name: {title}
tags: [interpretability, neurons, vision, milan]
configs:
- config_name: default
  data_files: {data}
---

# {heading}

{notice}English descriptions of {units} units of {networks}, with held-out scores and the images
that activate each unit most. Made by {made}.

- `index.html`: the atlas, a browser of these units. It opens from disk and asks no server.
- `{data}`: one row a unit; columns in `units.schema.json`.
- `provenance.json`: SHA-256 of every file; `milan verify .` compares.

The pictures are those of the probe images ({images}); their license is that of the data sets
they come from{assets}. Held-out correlation says how well a text predicts a unit in images that
no describer saw; 0 is chance. Descriptions whose status is `unreliable` are guesses.
"""


def write_extras(atlas: Path, out: Path, parquet: bool) -> list[str]:
    """Write the catalogue of an atlas and its card into `out`; returns the names of the files."""
    written = write_catalogue(atlas, out, parquet)
    data = "units.parquet" if parquet else "units.csv"
    write_text(out / "README.md", card(read_chunk(atlas, "run"), data))
    return [*written, "README.md"]


def card(run: Mapping[str, Any], data: str) -> str:
    """The card of a pack: YAML for hubs, then what it is."""
    heading = " ".join(str(run["title"]).split())
    credits = [f"{one['name']}: {one['licence']}" for one in run["assets"] if one.get("licence")]
    return _CARD.format(
        title=json.dumps(heading),
        heading=heading,
        notice=f"{run['notice']}\n\n" if run["notice"] else "",
        units=run["counts"]["units"],
        networks=", ".join(net["name"] for net in run["networks"]),
        made=run["made"],
        data=data,
        images=", ".join(one["name"] for one in run["pictures"]),
        assets=f" ({'; '.join(credits)})" if credits else "",
    )
