"""The stage `labels`: concept masks of a data set, and the labels of one network by every method.

`labels.csv` has one row per method and unit: the description as it is scored, the label as the
method writes it, its score (IoU, AUC or soft WPMI), whether it passes the method's own threshold,
and the p value where there is one. A unit that fits no concept has an empty description.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, write_csv
from milan_core.describers import clip_dissect
from milan_core.describers.concepts import ConceptMasks
from milan_core.describers.evidence import LayerEvidence, gather
from milan_core.describers.invert import auc_labels
from milan_core.describers.published import read_published
from milan_core.describers.wording import compexp_text, concept_text, formula_label
from milan_core.ops.formulas import compose, concept_overlaps

if TYPE_CHECKING:
    from milan_core.images.store import Dataset
    from milan_core.networks.zoo import LoadedModel

HEADER = ("method", "layer", "unit", "description", "label", "category", "score", "passes", "p")


@dataclass(frozen=True)
class Label:
    """What a method says of one unit."""

    description: str
    label: str = ""
    category: str = ""
    score: float = 0.0
    passes: bool = False
    p: float | None = None


@dataclass(frozen=True)
class Job:
    """What the methods share for one network."""

    concepts: ConceptMasks | None
    similarity: np.ndarray | None  # float32 [N, words], of CLIP
    words: list[str]
    threads: int

    @property
    def known(self) -> ConceptMasks:
        """The concept masks, which `label_network` has checked to be there."""
        assert self.concepts is not None
        return self.concepts


Method = Callable[[LayerEvidence, Job, Mapping[str, Any]], list[Label]]


def label_network(
    loaded: LoadedModel,
    dataset: Dataset,
    concepts: ConceptMasks | None,
    options: Mapping[str, Any],
    out: Path,
    *,
    batch_size: int = 64,
    device: str = "cpu",
    threads: int = 1,
) -> None:
    """Write `labels.csv` of a network to `out`.

    `options` has `methods` (settings by name) and `published` (result folders by method). Masks of
    concepts must be of the images of `dataset`.
    """
    from milan_core.exemplars.sources import open_source

    rows: list[list[object]] = []
    methods: Mapping[str, Mapping[str, Any]] = options.get("methods", {})
    out.parent.mkdir(parents=True, exist_ok=True)
    if methods:
        job = _job(dataset, concepts, methods, device, threads)
        found = gather(
            loaded,
            open_source(dataset, loaded.input),
            [m["quantile"] for m in methods.values() if "quantile" in m],
            concepts.size if concepts else 1,
            out.parent,
            batch_size=batch_size,
            device=device,
            threads=threads,
        )
        for name, settings in methods.items():
            for layer, evidence in found.items():
                labels = METHODS[name](evidence, job, settings)
                rows += [_row(name, layer, unit, label) for unit, label in enumerate(labels)]
    rows += _published_rows(options.get("published", {}), loaded.layers)
    write_csv(out, HEADER, rows)


def label_set(annotations: Path, published: Mapping[str, str], out: Path) -> None:
    """Write `labels.csv` of an annotation set: what the published programs said of its units.

    `annotations` says which layers it has, `published` where the result folders are, by method.
    """
    layers = [row["layer"] for row in read_csv(annotations, ("layer", "unit"))]
    write_csv(out, HEADER, _published_rows(published, dict.fromkeys(layers)))


def _published_rows(published: Mapping[str, str], layers: Iterable[str]) -> list[list[object]]:
    return [
        _row(f"{name}_published", layer, unit, Label(text, label))
        for name, path in sorted(published.items())
        for (layer, unit), (text, label) in read_published(name, path, layers).items()
    ]


def _row(method: str, layer: str, unit: int, label: Label) -> list[object]:
    p = "" if label.p is None else label.p
    facts = [label.description, label.label, label.category, label.score, int(label.passes), p]
    return [method, layer, unit, *facts]


def _job(
    dataset: Dataset,
    concepts: ConceptMasks | None,
    methods: Mapping[str, Mapping[str, Any]],
    device: str,
    threads: int,
) -> Job:
    if concepts is not None and concepts.dataset != dataset.fingerprint:
        raise UserError(
            f"concept masks are of the images {concepts.dataset}, the labels are drawn from "
            f"{dataset.fingerprint} ({dataset.name}); results of different images are not "
            "compared: make the concept masks of this data set"
        )
    if concepts is None and (reading := methods.keys() - {"clip_dissect"}):
        raise UserError(
            f"{', '.join(sorted(reading))}: these methods need concept masks; make them with "
            "`milan baselines concepts` and give --concepts"
        )
    similarity, words = None, list(concepts.names) if concepts else []
    if settings := methods.get("clip_dissect"):
        if not settings["path"]:
            raise UserError(
                "baselines.clip_dissect.path: no CLIP is given; name the folder of a CLIPModel, or "
                "take clip_dissect out of baselines.methods"
            )
        if settings["concepts"]:
            words = clip_dissect.read_words(settings["concepts"])
        if not words:
            raise UserError("baselines.clip_dissect.concepts: no word list and no concept masks")
        similarity = clip_dissect.clip_similarity(
            settings["path"], dataset.images, words, settings["prompt"], device
        )
    return Job(concepts, similarity, words, threads)


def _blocks(evidence: LayerEvidence, quantile: float) -> Iterator[Any]:
    masks = evidence.masks[quantile]
    for first, last in masks.blocks():
        yield masks.block(first, last)


def netdissect(evidence: LayerEvidence, job: Job, settings: Mapping[str, Any]) -> list[Label]:
    """The concept with the highest IoU; of equals the first."""
    concepts = job.known
    areas, count = concepts.areas(), len(concepts.names)
    labels = []
    for block in _blocks(evidence, settings["quantile"]):
        both = concept_overlaps(block, concepts.masks, count, job.threads)
        pixels = np.zeros(len(both), np.int64)
        np.add.at(pixels, block.groups, block.pixels())
        iou = both / np.maximum(pixels[:, None] + areas - both, 1)
        for own in iou:
            best = int(own.argmax())
            if own[best] > 0:
                name, category = concepts.names[best], concepts.categories[best]
                passes = bool(own[best] > settings["threshold"])
                score = float(own[best])
                labels.append(Label(concept_text(name), name, category, score, passes))
            else:
                labels.append(Label(""))
    return labels


def compexp(evidence: LayerEvidence, job: Job, settings: Mapping[str, Any]) -> list[Label]:
    """The formula with the highest IoU."""
    names = job.known.names
    labels = []
    for block in _blocks(evidence, settings["quantile"]):
        found = compose(
            block,
            job.known.masks,
            len(names),
            settings["beam"],
            settings["length"],
            job.threads,
        )
        for joins, chosen, iou in zip(found.joins, found.concepts, found.iou, strict=True):
            label = formula_label(joins, [names[c] for c in chosen[chosen >= 0]])
            labels.append(Label(compexp_text(label), label, "formula", float(iou), iou > 0))
    return labels


def invert(evidence: LayerEvidence, job: Job, settings: Mapping[str, Any]) -> list[Label]:
    """The formula with the highest AUC of the unit's largest activation in each image."""
    names = job.known.names
    labels = []
    for found in auc_labels(evidence.maxima, job.known.presence(), **settings):
        joins = [join for join, _ in found.parts]
        label = formula_label(joins, [names[c] for _, c in found.parts])
        passes = bool(found.parts)
        labels.append(Label(compexp_text(label), label, "formula", found.auc, passes, found.p))
    return labels


def clip(evidence: LayerEvidence, job: Job, settings: Mapping[str, Any]) -> list[Label]:
    """The word with the highest soft WPMI within the layer."""
    assert job.similarity is not None
    scores = clip_dissect.soft_wpmi(
        evidence.means, job.similarity, settings["top"], settings["weight"]
    )
    best = scores.argmax(1)
    return [
        Label(concept_text(job.words[c]), job.words[c], "word", float(scores[u, c]), True)
        for u, c in enumerate(best)
    ]


METHODS: dict[str, Method] = {
    "netdissect": netdissect,
    "compexp": compexp,
    "invert": invert,
    "clip_dissect": clip,
}
