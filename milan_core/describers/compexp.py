"""Compositional Explanations: the formula with the highest IoU (Mu and Andreas 2020)."""

from __future__ import annotations

from typing import ClassVar

from milan_core.describers.activations import NetworkUnits
from milan_core.describers.declared_options import DescriberOptions
from milan_core.describers.describer import Description, Resources
from milan_core.describers.evidence import LayerEvidence
from milan_core.describers.labels import LabelDescriber, labeled, mask_blocks
from milan_core.describers.options import CompexpOptions
from milan_core.describers.wording import compexp_text, formula_label
from milan_core.ops.formulas import compose


class Compexp(LabelDescriber):
    """The formula of concepts with the highest IoU, found by beam search."""

    Options: ClassVar[type[DescriberOptions]] = CompexpOptions

    def __init__(self, options: CompexpOptions, threads: int = 1) -> None:
        self._options, self._threads = options, threads
        self.quantiles = (options.quantile,)

    @classmethod
    def load(cls, options: CompexpOptions, resources: Resources) -> Compexp:
        """The describer; it reads no file."""
        return cls(options, resources.compute.threads)

    def label_layer(self, evidence: LayerEvidence, units: NetworkUnits) -> list[Description]:
        """The labels of the units of one layer."""
        concepts, options = units.concept_masks, self._options
        names = concepts.names
        labels = []
        for block in mask_blocks(evidence, options.quantile):
            best = compose(
                *(block, concepts.masks, len(names)),
                *(options.beam, options.length, self._threads),
            )
            for joins, chosen, iou in zip(best.joins, best.concepts, best.iou, strict=True):
                label = formula_label(joins, [names[c] for c in chosen[chosen >= 0]])
                text, score = compexp_text(label), float(iou)
                labels.append(labeled(text, label, "formula", score, passes=bool(iou > 0)))
        return labels
