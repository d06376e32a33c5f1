"""A describer put together from parts: a proposer p(d|E), a prior p(d), and CLIP.

Proposers are the captioner trained here, a published captioner with its own encoder, and
image-to-text checkpoints; priors the captioner's language model and causal language models. The
beams of the proposer are weighed by the prior (`pmi`), then CLIP may re-rank them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from milan_core.captioner.captioner import Captioner
from milan_core.captioner.checkpoint import load_captioner
from milan_core.captioner.descriptions import Descriptions as Decoded
from milan_core.describers.backends.causal_lm import CausalPrior
from milan_core.describers.backends.clip_rerank import (
    ClipReranker,
    Reranked,
    Reranker,
    with_best,
)
from milan_core.describers.backends.image_to_text import ImageToText
from milan_core.describers.backends.interface import Prior, Proposer
from milan_core.describers.backends.judge import JudgeReranker, is_judge, open_judge
from milan_core.describers.backends.lstm import LstmCaptioner, LstmPrior
from milan_core.describers.declared_options import DescriberOptions, Need
from milan_core.describers.describer import (
    Candidates,
    Describer,
    Descriptions,
    Resources,
    TableForm,
)
from milan_core.describers.options import ComposedOptions
from milan_core.describers.pmi import FORM, described, pmi_describe
from milan_core.describers.reader import CaptionerReader
from milan_core.describers.units import Units


class Composed(Describer):
    """Weighted PMI of any proposer and any prior, then CLIP.

    Args:
        proposer: p(d|E).
        prior: p(d), or None.
        clip: re-ranking of the beams, or None.
        reader: the features that the proposer reads; None: it reads images and masks.
        options: lambda, beam and length.

    """

    Options: ClassVar[type[DescriberOptions]] = ComposedOptions
    form: ClassVar[TableForm] = FORM

    def __init__(
        self,
        proposer: Proposer,
        prior: Prior | None,
        clip: Reranker | None,
        reader: CaptionerReader | None,
        options: ComposedOptions,
    ) -> None:
        self._proposer, self._prior, self._clip = proposer, prior, clip
        self._reader, self._options = reader, options

    @classmethod
    def load(cls, options: ComposedOptions, resources: Resources) -> Composed:
        """The describer with the models of its parts."""
        device, chosen = resources.compute.device, options.captioner
        captioner, reader = _captioner(options, resources)
        proposer: Proposer
        if chosen.family == "image_to_text":
            proposer, reader = ImageToText.load(chosen, device), None
        else:
            assert captioner is not None
            per_token = options.candidates == "beam_mi"
            proposer = LstmCaptioner(captioner, options.temperature if per_token else None)
        prior = _prior(options, captioner, device)
        return cls(proposer, prior, _reranker(options, resources), reader, options)

    def prepare(self, offers: frozenset[Need]) -> None:
        """Refuse units that do not offer what the parts need."""
        needs: set[Need] = {"features"} if self._reader else {"exemplars"}
        if self._clip:
            needs.add("exemplars")
        self.refuse_lacking(needs, offers)

    def describe(self, units: Units) -> Descriptions:
        """The best candidate of every unit, with all candidates."""
        weight = self._options.temperature
        evidence: Any = units.features(self._reader) if self._reader else units.exemplars()
        decoded = pmi_describe(self._proposer, self._prior, evidence, self._options)
        if self._clip is None:
            return described(units.keys, decoded, weight)
        assert decoded.beam_captions is not None
        reranked = self._clip.rerank(units.exemplars(), decoded.beam_captions)
        said = described(units.keys, with_best(decoded, reranked), weight)
        return _with_similarity(said, decoded, reranked)


def _reranker(options: ComposedOptions, resources: Resources) -> Reranker | None:
    chosen = options.clip
    if chosen is None:
        return None
    if chosen.reads_judge or is_judge(chosen.source):
        folder = resources.judge if chosen.reads_judge else chosen.source
        judge = open_judge(folder, resources.compute)
        return JudgeReranker(judge, weight=chosen.weight, seen=resources.seen)
    return ClipReranker.load(chosen, resources.compute.device)


def _captioner(
    options: ComposedOptions, resources: Resources
) -> tuple[Captioner | None, CaptionerReader | None]:
    """The captioner of the proposer or of the prior, and the features that it reads."""
    device, chosen = resources.compute.device, options.captioner
    if chosen.family == "released":
        captioner = load_captioner(Path(chosen.source).expanduser()).to(device)
        weights = Path(chosen.encoder_weights) if chosen.encoder_weights else None
        return captioner, CaptionerReader(captioner, device, weights)
    if not options.reads_captioner:
        return None, None
    captioner = load_captioner(resources.need_captioner("composed")).to(device)
    return captioner, CaptionerReader(captioner, device, resources.encoder_weights, resources.trust)


def _prior(options: ComposedOptions, captioner: Captioner | None, device: str) -> Prior | None:
    if options.prior.family == "causal_lm":
        return CausalPrior.load(options.prior, device)
    if captioner is None or options.prior.family == "none":
        return None
    model = captioner.language_model
    return None if model is None else LstmPrior(model)


def _with_similarity(
    descriptions: Descriptions, decoded: Decoded, reranked: list[Reranked]
) -> Descriptions:
    """The descriptions with CLIP's similarity of every candidate, NaN beyond a unit's own."""
    assert decoded.beam_logp is not None
    assert descriptions.candidates is not None
    similarity = np.full(decoded.beam_logp.shape, np.nan, np.float32)
    for row, unit in zip(similarity, reranked, strict=True):
        row[unit.order] = unit.similarity
    scores = {**descriptions.candidates.scores, "similarity": similarity}
    return Descriptions(
        descriptions.keys, descriptions.rows, Candidates(descriptions.candidates.texts, scores)
    )
