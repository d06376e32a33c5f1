"""What the report reads: the paths of one run, gathered from the layout of `results/`.

The run is a plain dictionary, so that pages can be made of any folder of files:

    title, notice       str; the notice is printed on every page
    lambda              float, the weight that the descriptions were chosen with
    models              {name: {
        exemplars       path of exemplars.safetensors
        dataset         folder of the probe images
        descriptions    path: layer, unit, description, logp, logp_lm, score
                        [, description_within, score_within, side_within]
        annotations     path or None: layer, unit, summary, annotator
        truth           path or None: layer, unit, concept, tier, coverage, support, specific,
                        accept
        accuracy        path or None: dataset, accuracy, images (of the network itself)
        factory         str, where the network comes from
        is_encoder      bool, the captioner's encoder is this same network
    }}
    tables              {generalization, baselines, lambda: path or None}
    figures             {accuracy, lambda: path of an SVG or None}
    provenance          list of paths of provenance files
    assets              list of paths of asset.json
    sections            list of paths of section.json, one per experiment (optional)
    sets                list of the annotation sets that are scored (optional)
    columns             int, exemplars side by side (optional, default 5)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

TITLE = "Descriptions of neurons"


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None


def _network(folder: Path, dataset: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "exemplars": folder / "exemplars" / "exemplars.safetensors",
        "dataset": dataset,
        "descriptions": folder / "descriptions.csv",
        "annotations": _existing(folder / "annotations" / "annotations.csv"),
        "truth": _existing(folder / "annotations" / "truth.csv"),
        "accuracy": _existing(folder / "target" / "accuracy.csv"),
        "factory": facts.get("factory", ""),
        "is_encoder": bool(facts.get("is_encoder")),
    }


def collect_run(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The run dictionary of a workflow's results.

    `settings` has results, resources (roots), models ({name: {dataset, annotated, factory,
    is_encoder}}), sets (described annotation sets), assets (names), notice and lambda.
    """
    results, resources = Path(settings["results"]), Path(settings["resources"])
    models = {
        name: _network(results / name, resources / "datasets" / facts["dataset"], facts)
        for name, facts in settings["models"].items()
    }
    general, baselines = results / "generalization", results / "baselines"

    def scored(path: Path) -> Path | None:
        # Tables of another choice of networks may lie there when this one has none to score.
        return _existing(path) if settings.get("scored", True) else None

    return {
        "title": settings.get("title", TITLE),
        "notice": settings.get("notice", ""),
        "lambda": float(settings.get("lambda", 0.2)),
        "models": models,
        "sets": list(settings.get("sets", [])),
        "tables": {
            "generalization": scored(general / "table.csv"),
            "baselines": scored(baselines / "table.csv"),
            "lambda": scored(general / "lambda.csv"),
        },
        "figures": {
            "accuracy": scored(baselines / "accuracy.svg"),
            "lambda": scored(general / "lambda.svg"),
        },
        "sections": [results / name for name in settings.get("sections", [])],
        "provenance": sorted(
            path
            for folder in settings.get("folders", [])
            for path in (results / folder).rglob("*provenance.json")
        ),
        "assets": [
            path
            for name in settings.get("assets", [])
            if (path := _existing(resources / "assets" / name / "asset.json"))
        ],
    }
