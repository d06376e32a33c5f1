"""The stage `audit`: from described networks to counts per layer and a review sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from milan_core.core.files import read_csv, write_csv
from milan_core.experiments.audit import counts
from milan_core.experiments.audit.detectors import DETECTORS, opinions
from milan_core.experiments.audit.review import confirmed, read_answers, write_review
from milan_core.experiments.audited import Audited, check_comparable, load_audited
from milan_core.images.store import open_dataset
from milan_core.scoring.options import Query
from milan_core.scoring.units import UnitKey, unit_key

UNITS = ("model", "query", "layer", "unit", "description", "concept", "truth", "detector")
Matched = list[tuple[str, str, UnitKey]]


class AuditFiles(Protocol):
    """What `run_audit` reads: one path per network of `options["models"]`, in that order."""

    descriptions: Sequence[Path]
    exemplars: Sequence[Path]
    truth: Sequence[Path]  # of the networks whose probe images are known
    datasets: Sequence[Path]
    options: Mapping[str, Any]
    seed: int
    out: Path


def run_audit(files: AuditFiles) -> None:
    """Write counts.csv, changes.csv, units.csv and the folder review beside `files.out`."""
    options = files.options
    networks = _load(files)
    for pair in options["pairs"]:
        both = [networks[pair["original"]], networks[pair["changed"]]]
        check_comparable(both, f"audit pair {pair['name']!r}")
    found = _matches(networks, options["queries"])
    matched = [
        (model, query, key)
        for (model, query, source), units in found.items()
        if source == counts.DESCRIPTION
        for key in units
    ]
    images = _images(files)
    seen = _detected(networks, images, matched, options) if options["detector"] else {}
    found |= _seen_sets(seen, networks, options["queries"])
    folder = files.out.parent
    _write_counts(folder, found, networks, options["pairs"], "counts.csv", "changes.csv")
    _write_units(folder / "units.csv", matched, networks, found, seen)
    write_review(folder / "review", matched, networks, images, files.seed)


def _load(files: AuditFiles) -> dict[str, Audited]:
    truth = iter(files.truth)
    return {
        model["name"]: load_audited(
            model["name"], descriptions, exemplars, next(truth) if model["known"] else None
        )
        for model, descriptions, exemplars in zip(
            files.options["models"], files.descriptions, files.exemplars, strict=True
        )
    }


def _images(files: AuditFiles) -> dict[str, Any]:
    folders = [path.parent if path.suffix else path for path in files.datasets]
    opened = {folder: open_dataset(folder).images for folder in dict.fromkeys(folders)}
    names = [model["name"] for model in files.options["models"]]
    return {name: opened[folder] for name, folder in zip(names, folders, strict=True)}


def _matches(
    networks: Mapping[str, Audited], queries: Mapping[str, Any]
) -> dict[tuple[str, str, str], list[UnitKey]]:
    found = {}
    for name, network in networks.items():
        for query, words in queries.items():
            found[name, query, counts.DESCRIPTION] = network.matched(Query.model_validate(words))
            known = network.known(Query.model_validate(words))
            if known is not None:
                found[name, query, counts.TRUTH] = known
    return found


def _detected(
    networks: Mapping[str, Audited],
    images: Mapping[str, Any],
    matched: Matched,
    options: Mapping[str, Any],
) -> dict[tuple[str, str, UnitKey], float]:
    """Share of exemplars with a detection, of matched units whose query has a detector."""
    seen = {}
    boxes: dict[tuple[str, str], dict[int, Any]] = {}  # per detector and probe set
    for query, words in options["queries"].items():
        if not words["detector"]:
            continue
        for model in options["models"]:
            name = model["name"]
            units = [key for m, q, key in matched if (m, q) == (name, query)]
            kept = boxes.setdefault((words["detector"], model["dataset"]), {})
            detector = DETECTORS[words["detector"]]
            for key, share in opinions(
                networks[name].exemplars, images[name], units, detector, kept
            ).items():
                seen[name, query, key] = share
    return seen


def _seen_sets(
    seen: Mapping[tuple[str, str, UnitKey], float],
    networks: Mapping[str, Audited],
    queries: Mapping[str, Any],
) -> dict[tuple[str, str, str], list[UnitKey]]:
    from milan_core.experiments.audit.detectors import EXEMPLAR_SHARE

    if not seen:
        return {}
    return {
        (name, query, counts.DETECTOR): [
            key for (m, q, key), share in seen.items()
            if (m, q) == (name, query) and share >= EXEMPLAR_SHARE
        ]
        for name in networks
        for query in queries
        if queries[query]["detector"]
    }  # fmt: skip


def _write_counts(
    folder: Path,
    found: counts.Found,
    networks: Mapping[str, Audited],
    pairs: Sequence[Mapping[str, str]],
    counts_name: str,
    changes_name: str,
) -> None:
    layers = {name: network.layers for name, network in networks.items()}
    write_csv(folder / counts_name, counts.COUNTS, counts.count_rows(found, layers))
    write_csv(folder / changes_name, counts.CHANGES, counts.change_rows(found, layers, pairs))


def _write_units(
    path: Path,
    matched: Matched,
    networks: Mapping[str, Audited],
    found: counts.Found,
    seen: Mapping[tuple[str, str, UnitKey], float],
) -> None:
    rows = []
    for model, query, key in matched:
        truth = networks[model].truth
        known = found.get((model, query, counts.TRUTH))
        rows.append(
            [
                model,
                query,
                *key,
                networks[model].descriptions[key],
                truth[key].concept if truth else "",
                "" if known is None else int(key in known),
                seen.get((model, query, key), ""),
            ]
        )
    write_csv(path, UNITS, rows)


def run_recount(files: AuditFiles, units: Path, review: Path) -> None:
    """Count again from the answers of the review sheet: recount.csv and recount_changes.csv.

    Only units that matched are counted, so a recount can lower a count and never raise it.
    """
    networks = _load(files)
    matched = [(row["model"], row["query"], unit_key(row, units)) for row in read_csv(units, UNITS)]
    kept = confirmed(read_answers(review), matched, review)
    found = {
        (name, query, counts.REVIEW): kept.get((name, query), [])
        for name in networks
        for query in files.options["queries"]
    }
    folder = files.out.parent
    _write_counts(
        folder, found, networks, files.options["pairs"], "recount.csv", "recount_changes.csv"
    )
