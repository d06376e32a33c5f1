"""Search described networks for units that match queries, with second opinions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.units import UnitKey
from milan_core.experiments.audit import tables
from milan_core.experiments.audit.detectors import DETECTORS, Boxes, opinions
from milan_core.experiments.audit.options import AuditOptions
from milan_core.experiments.audited import Audited, check_comparable, load_audited
from milan_core.images.store import open_dataset
from milan_core.scoring.options import Query

Matches = dict[tuple[str, str, str], list[UnitKey]]  # by network, query, source
Detections = dict[tuple[str, str, UnitKey], float]  # by network, query, unit: share of exemplars


def load_networks(
    options: AuditOptions,
    descriptions: Sequence[Path],
    exemplars: Sequence[Path],
    truth: Sequence[Path],
) -> dict[str, Audited]:
    """The audited networks by name; refuses pairs that cannot be compared.

    `descriptions` and `exemplars` have one path for each network of the options, `truth` one for
    each network with ground truth, all in the options' order.
    """
    judged = [network.name for network in options.networks if network.has_truth]
    if len(judged) != len(truth):
        raise UserError(
            f"audit: --truth has {len(truth)} paths for {len(judged)} networks with ground truth "
            f"({', '.join(judged)}); give one path for each"
        )
    truths = dict(zip(judged, truth, strict=True))
    networks = {
        network.name: load_audited(network.name, texts, units, truths.get(network.name))
        for network, texts, units in zip(options.networks, descriptions, exemplars, strict=True)
    }
    for pair in options.pairs:
        both = [networks[pair.original], networks[pair.changed]]
        check_comparable(both, f"audit pair {pair.name!r}")
    return networks


def open_images(options: AuditOptions, datasets: Sequence[Path]) -> dict[str, np.ndarray]:
    """Probe images uint8 (N, H, W, 3) by network; each data set is opened once."""
    opened = {folder: open_dataset(folder).images for folder in dict.fromkeys(datasets)}
    names = [network.name for network in options.networks]
    return {name: opened[folder] for name, folder in zip(names, datasets, strict=True)}


def find_matches(networks: Mapping[str, Audited], queries: Mapping[str, Query]) -> Matches:
    """Units that match each query by their description, and by their concept in the truth."""
    matches: Matches = {}
    for name, network in networks.items():
        for label, query in queries.items():
            matches[name, label, tables.DESCRIPTION] = network.matched(query)
            concepts = network.of_concept(query)
            if concepts is not None:
                matches[name, label, tables.TRUTH] = concepts
    return matches


def described_units(matches: Matches) -> list[tuple[str, str, UnitKey]]:
    """(network, query, unit) of every match by description."""
    return [
        (name, query, key)
        for (name, query, source), units in matches.items()
        if source == tables.DESCRIPTION
        for key in units
    ]


def detect(
    networks: Mapping[str, Audited],
    images: Mapping[str, np.ndarray],
    matches: Matches,
    options: AuditOptions,
) -> Detections:
    """Share of exemplars with a detection, of matching units whose query has a detector."""
    shares: Detections = {}
    boxes: dict[tuple[str, str], dict[int, Boxes]] = {}  # per detector and probe data set
    for query, detector in detectors(options).items():
        for network in options.networks:
            name = network.name
            units = matches[name, query, tables.DESCRIPTION]
            seen = boxes.setdefault((detector, network.dataset), {})
            exemplars = networks[name].exemplars
            of_units = opinions(exemplars, images[name], units, DETECTORS[detector], seen)
            shares |= {(name, query, key): share for key, share in of_units.items()}
    return shares


def detectors(options: AuditOptions) -> dict[str, str]:
    """The detector of every query that has one, when detectors are asked for."""
    return {
        name: query.detector
        for name, query in options.queries.items()
        if options.detector and query.detector
    }


def unit_rows(
    networks: Mapping[str, Audited], matches: Matches, detections: Detections
) -> list[list[object]]:
    """The rows of units.csv: every match by description, with its concept and second opinions."""
    rows: list[list[object]] = []
    for name, query, key in described_units(matches):
        network, concepts = networks[name], matches.get((name, query, tables.TRUTH))
        rows.append(
            [
                name,
                query,
                *key,
                network.descriptions[key],
                network.truth[key].concept if network.truth else "",
                "" if concepts is None else int(key in concepts),
                detections.get((name, query, key), ""),
            ]
        )
    return rows
