"""Facts of an annotation set: units, annotations and files by layer, as data and as text."""

from __future__ import annotations

from collections import Counter
from typing import Any

from milan_core.annotations.groups import published_sets
from milan_core.annotations.released import AnnotationSet


def set_facts(annotation_set: AnnotationSet, key: str | None = None) -> dict[str, Any]:
    """Counts of a set under its annotation count, beside the published ones if `key` has any."""
    by_unit = annotation_set.annotations
    texts = [text for unit in annotation_set.units for text in by_unit.get(unit, ())]
    words = [len(text.split()) for text in texts]
    sampled = Counter(layer for layer, _ in annotation_set.units)
    facts: dict[str, Any] = {
        "folder": str(annotation_set.folder),
        "units": len(annotation_set),
        "annotations": len(texts),
        "distinct": len(set(texts)),
        "mean_words": round(sum(words) / len(words), 2) if words else None,
        "layers": [
            {
                "layer": name,
                "units": len(layer),
                "sampled": sampled[name],
                "exemplars": layer.ids.shape[1],
                "size": layer.size,
                "images": layer.has_images,
                "packed": layer.is_packed,
            }
            for name, layer in annotation_set.layers.items()
        ],
    }
    if key in published_sets():
        published = published_sets()[key]
        facts["published"] = {"units": published.units, "annotations": published.descriptions}
    return facts


def facts_text(facts: dict[str, Any]) -> str:
    """The facts as lines."""
    lines = [
        f"{facts['folder']}: {facts['units']} units, {facts['annotations']} annotations "
        f"({facts['distinct']} distinct, {facts['mean_words']} words on average)"
    ]
    for layer in facts["layers"]:
        images = "images" if layer["images"] else "no images"
        masks = "packed masks" if layer["packed"] else "masks"
        lines.append(
            f"  {layer['layer']}: {layer['sampled']} of {layer['units']} units, "
            f"{layer['exemplars']} exemplars of {layer['size']} px, {images}, {masks}"
        )
    published = facts.get("published")
    if published:
        same = all(facts[name] == published[name] for name in published)
        lines.append(
            "  complete, as published"
            if same
            else f"  published: {published['units']} units, {published['annotations']} annotations"
        )
    return "\n".join(lines)
