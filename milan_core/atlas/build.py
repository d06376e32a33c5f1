"""Build an atlas: read every network, write its chunks, pictures, experiments and the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from milan_core import __version__
from milan_core.atlas import images as image_chunks
from milan_core.atlas.candidates import read_candidates
from milan_core.atlas.chunks import write_chunk
from milan_core.atlas.files import NetworkFiles
from milan_core.atlas.neighbors import nearest, nearest_texts, standardized
from milan_core.atlas.network import (
    BLOCK,
    INDEX,
    NetworkContent,
    check_units,
    picked_unit,
    write_network,
)
from milan_core.atlas.page import write_page
from milan_core.atlas.pictures import ACROSS, Pictures
from milan_core.atlas.said import read_said
from milan_core.atlas.sections import write_sections
from milan_core.atlas.summary import network_summary
from milan_core.atlas.units import read_units
from milan_core.core.files import write_json
from milan_core.core.names import file_name
from milan_core.exemplars.store import load_exemplars
from milan_core.exemplars.table import open_table
from milan_core.images.fetch.asset_record import read_asset
from milan_core.images.store import open_dataset
from milan_core.report.overview import run_facts

FORMAT, VERSION = "milan-atlas", 1
PICKS = 6  # units that the overview shows, of one network each
PAIRED = 3  # nearest units of another network


@dataclass(frozen=True)
class AtlasFiles:
    """Everything that an atlas is made of."""

    networks: Sequence[NetworkFiles]
    sections: Sequence[Path] = ()
    records: Sequence[Path] = ()  # provenance records, or folders that hold one
    assets: Sequence[Path] = ()  # folders of data packages


@dataclass(frozen=True)
class Heading:
    """Title, notice, and names of describers for people."""

    title: str = "Descriptions of neurons"
    notice: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    scored: bool = False
    sets: Sequence[str] = ()


def build_atlas(files: AtlasFiles, out: Path, heading: Heading | None = None) -> dict[str, Any]:
    """Write an atlas into the new folder `out`; returns counts: networks, units, images.

    The same files give the same bytes. Networks are read one after the other; those that share
    probe images share their pictures.
    """
    heading = heading or Heading()
    write_page(out, heading.title)
    shown: dict[Path, Pictures] = {}
    firing: dict[Path, image_chunks.Firing] = {}
    vectors: dict[Path, dict[int, np.ndarray]] = {}
    summaries, picks = [], []
    for number, network in enumerate(files.networks):
        place = network.dataset.resolve()
        if place not in shown:
            shown[place] = Pictures(open_dataset(network.dataset), _folder(network, shown))
        content, acts = _read(network)
        if acts is not None:
            vectors.setdefault(place, {})[number] = acts
        exemplars = write_network(content, shown[place], out)
        picks.append({"network": number, **picked_unit(content, out)})
        image_chunks.add_firing(firing.setdefault(place, {}), number, exemplars)
        summary = network_summary(content, heading.names)
        summaries.append({**summary, "pictures": shown[place].folder})
    pairs = list(_write_pairs(vectors, summaries, out))
    for place, pictures in shown.items():
        pictures.write(out)
        image_chunks.write_images(pictures, firing[place], out)
    counts = {
        "networks": len(summaries),
        "units": sum(summary["units"] for summary in summaries),
        "images": sum(len(pictures.ids) for pictures in shown.values()),
    }
    run = {
        "format": FORMAT,
        "version": VERSION,
        "made": f"MILAN-workflow {__version__}",
        "title": heading.title,
        "notice": heading.notice,
        "scored": heading.scored,
        "sets": list(heading.sets),
        "networks": summaries,
        "pairs": pairs,
        "pictures": [_picture_facts(pictures) for pictures in shown.values()],
        "sizes": {"index": INDEX, "block": BLOCK, "images": image_chunks.IMAGES},
        "experiments": write_sections(files.sections, out),
        "run": run_facts(files.records),
        "assets": [read_asset(path).model_dump(exclude={"files"}) for path in files.assets],
        "counts": counts,
    }
    write_chunk(out, "run", run)
    write_chunk(out, "picks", picks[:PICKS])
    write_json(out / "atlas.json", {"format": FORMAT, "version": VERSION, **counts})
    return counts


def _folder(network: NetworkFiles, shown: Mapping[Path, Pictures]) -> str:
    """A folder name for the pictures of a data set; two of one name get numbers."""
    name, taken = file_name(network.dataset_name), {one.folder for one in shown.values()}
    return name if name not in taken else f"{name}~{len(taken)}"


def _picture_facts(pictures: Pictures) -> dict[str, Any]:
    width, height = pictures.size
    facts = {"folder": pictures.folder, "name": pictures.dataset.name, "width": width}
    return {**facts, "height": height, "across": ACROSS, "count": len(pictures.ids)}


def _read(files: NetworkFiles) -> tuple[NetworkContent, np.ndarray | None]:
    """One network with its neighbors, and its activations for those of other networks."""
    exemplars = load_exemplars(files.exemplars)
    units = read_units(files, exemplars.silent())
    keys = [unit.key for unit in units]
    acts = None
    if files.activations is not None:
        acts = standardized(open_table(files.activations), keys)
    content = NetworkContent(
        files,
        units,
        exemplars,
        read_said(files, units),
        read_candidates(files.candidates),
        nearest(acts) if acts is not None else [],
        nearest_texts([unit.text if unit.says else "" for unit in units]),
    )
    check_units(content)
    return content, acts


def _write_pairs(
    vectors: Mapping[Path, Mapping[int, np.ndarray]],
    summaries: Sequence[Mapping[str, Any]],
    out: Path,
) -> Iterator[list[int]]:
    """Write the nearest units of every two networks on the same images; yields their numbers."""
    for acts in vectors.values():
        for first, second in permutations(acts, 2):
            if acts[first].shape[1] != acts[second].shape[1]:
                continue
            rows = nearest(acts[first], acts[second], PAIRED)
            key = f"pairs/{summaries[first]['slug']}--{summaries[second]['slug']}"
            write_chunk(out, key, rows)
            yield [first, second]
