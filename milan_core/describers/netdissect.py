"""Network Dissection: the concept with the highest IoU (Bau et al. 2017)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from milan_core.describers.activations import NetworkUnits
from milan_core.describers.declared_options import DescriberOptions
from milan_core.describers.describer import Description, Resources
from milan_core.describers.evidence import LayerEvidence
from milan_core.describers.labels import LabelDescriber, labeled, mask_blocks
from milan_core.describers.options import NetDissectOptions
from milan_core.describers.wording import concept_text
from milan_core.ops.formulas import concept_overlaps


class NetDissect(LabelDescriber):
    """The concept with the highest IoU; of equals the first."""

    Options: ClassVar[type[DescriberOptions]] = NetDissectOptions

    def __init__(self, options: NetDissectOptions, threads: int = 1) -> None:
        self._options, self._threads = options, threads
        self.quantiles = (options.quantile,)

    @classmethod
    def load(cls, options: NetDissectOptions, resources: Resources) -> NetDissect:
        """The describer; it reads no file."""
        return cls(options, resources.compute.threads)

    def label_layer(self, evidence: LayerEvidence, units: NetworkUnits) -> list[Description]:
        """The labels of the units of one layer."""
        concepts = units.concept_masks
        areas, count = concepts.areas(), len(concepts.names)
        labels = []
        for block in mask_blocks(evidence, self._options.quantile):
            both = concept_overlaps(block, concepts.masks, count, self._threads)
            pixels = np.zeros(len(both), np.int64)
            np.add.at(pixels, block.groups, block.pixels())
            iou = both / np.maximum(pixels[:, None] + areas - both, 1)
            for values in iou:
                best = int(values.argmax())
                if values[best] > 0:
                    name, category = concepts.names[best], concepts.categories[best]
                    passes = bool(values[best] > self._options.threshold)
                    score = float(values[best])
                    labels.append(labeled(concept_text(name), name, category, score, passes=passes))
                else:
                    labels.append(labeled(""))
        return labels
