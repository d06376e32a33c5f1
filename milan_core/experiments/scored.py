"""Shared by the steps that score descriptions of one network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from milan_core.core.step import In, Step
from milan_core.scoring.options import ScoreOptions, TrainingSources

if TYPE_CHECKING:
    from milan_core.core.units import UnitKey
    from milan_core.scoring.scorer import Scorer


class ScoredStep(Step):
    """Scores descriptions of one network by a captioner against the network's references."""

    annotations: In
    truth: In | None = None
    """truth.csv of the described network; none for an annotation set."""
    captioner_units: In
    """units.csv of the captioner: the units of its split and their sides."""
    train_annotations: list[In]
    """Annotations of the networks that the captioner was trained on."""
    train_truth: list[In] = Field([])
    """truth.csv of those with ground truth."""
    bertscore: In | None = None
    """The asset of the text encoder; none leaves BERTScore out."""
    trained_on: TrainingSources
    options: ScoreOptions
    seed: int = 0

    def scorer(self, units: Sequence[UnitKey] | None = None) -> Scorer:
        """The scorer of `units` (default: all annotated ones)."""
        from milan_core.scoring.bertscore import BertScorer
        from milan_core.scoring.bootstrap import Bootstrap
        from milan_core.scoring.references import read_references, read_training
        from milan_core.scoring.scorer import Scorer
        from milan_core.scoring.vectors import encoder_folder

        references = read_references(self.annotations, self.truth, units)
        annotations = dict(zip(self.trained_on.names, self.train_annotations, strict=True))
        truth = dict(zip(self.trained_on.with_truth, self.train_truth, strict=True))
        bert = None
        if self.bertscore is not None:
            bert = BertScorer(encoder_folder(self.bertscore), self.options.bertscore_layer)
        bootstrap = Bootstrap(self.seed, self.options.bootstrap)
        training = read_training(self.captioner_units, annotations, truth)
        return Scorer(references, training, bootstrap, bert)
