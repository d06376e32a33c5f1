"""Names of the methods in the result tables, in the order of the report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """A method of the tables.

    Attributes:
        label: how the report's tables call it.
        text: how sentences call it; empty for baselines that no sentence is about.
        from_masks: it reads the masks of a concept list.

    """

    label: str
    text: str = ""
    from_masks: bool = False


METHODS = {
    "pmi": Method("MILAN: log p(d|E) − λ log p(d)", "PMI"),
    "pmi_two_references": Method("MILAN, against all annotators but one"),
    "greedy": Method("greedy p(d|E), same captioner", "greedy p(d|E)"),
    "beam": Method("p(d|E), beam search, same captioner", "p(d|E) with beam search"),
    "retrieval": Method(
        "annotation of the nearest training unit", "retrieval of the nearest training unit"
    ),
    "netdissect": Method("NetDissect: best concept by IoU", "NetDissect", from_masks=True),
    "compexp": Method(
        "CompExp: best formula by IoU", "Compositional Explanations", from_masks=True
    ),
    "invert": Method("INVERT: best formula by AUC", "INVERT", from_masks=True),
    "clip_dissect": Method("CLIP-Dissect: best concept by soft WPMI", "CLIP-Dissect"),
    "netdissect_published": Method(
        "NetDissect, published program", "NetDissect by the published program"
    ),
    "compexp_published": Method(
        "CompExp, published program", "Compositional Explanations by the published program"
    ),
    "whole_image": Method("same captioner, masks left out"),
    "shuffled_masks": Method("same captioner, masks of other images"),
    "prior_only": Method("p(d) alone: one text for all units"),
    "shuffled_prediction": Method("descriptions dealt to other units"),
    "constant": Method("constant: agrees best in training"),
    "constant_concept": Method("constant: most often right in training"),
    "most_frequent": Method("constant: most frequent annotation"),
    "annotators": Method("each annotator against the others"),
}
