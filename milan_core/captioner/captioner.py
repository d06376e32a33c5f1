"""The captioner: exemplar features in, descriptions out.

captioner = load_captioner("resources/captioner")
out = captioner.decode(features)            # float32 (units, k, F)
out.captions, out.scores, out.beam_captions
captioner.score(["a dog"] * len(features), features)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from milan_core.captioner.decoder import Decoder
from milan_core.captioner.describe import describe_exemplars
from milan_core.captioner.descriptions import BeamTexts, Descriptions, join_units
from milan_core.captioner.feature_blocks import check_features, feature_blocks
from milan_core.captioner.language_model import LanguageModel, counted_lengths
from milan_core.captioner.options import DecodingOptions
from milan_core.captioner.requests import BEAM_STRATEGIES, Request, checked, need_language_model
from milan_core.captioner.rerank import beam_prior, best_beam
from milan_core.captioner.search import Beams, Paths, beam_search, follow, rescored
from milan_core.captioner.stepping import Stepper, StepWeights, default_unit_batch
from milan_core.captioner.vocabulary import Tokenizer
from milan_core.core.errors import UserError
from milan_core.core.progress import tracked
from milan_core.core.seeding import torch_generator
from milan_core.exemplars.store import ExemplarSet
from milan_core.networks.kept import eval_mode

_DEFAULT = DecodingOptions()
Steppers = Callable[[torch.dtype], Stepper]


class Captioner(nn.Module):
    """Decoder p(d|E), optional language model p(d), and the tokenizer they share."""

    def __init__(
        self,
        decoder: Decoder,
        language_model: LanguageModel | None,
        tokenizer: Tokenizer,
        *,
        max_unit_batch: int | None = None,
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self.language_model = language_model
        self.tokenizer = tokenizer
        self.max_unit_batch = max_unit_batch
        self.meta: dict[str, Any] = {}
        """Record of its training or release, set by the code that trains or loads it."""
        self.origin: Path | None = None
        """The file or folder it was loaded from."""

    @torch.inference_mode()
    def decode(
        self,
        features: Any,
        strategy: str | None = None,
        mi: bool | None = None,
        temperature: float = _DEFAULT.temperature,
        beam_size: int = _DEFAULT.beam_size,
        length: int = _DEFAULT.length,
        legacy: bool = _DEFAULT.legacy,
        *,
        targets: Any = None,
        clamp_beam: bool = False,
        details: bool = False,
        seed: int | None = _DEFAULT.seed,
        precision: str = _DEFAULT.precision,
    ) -> Descriptions:
        """Describe every unit.

        Args:
            features: (units, k, F), any float type; may be memory-mapped.
            strategy: "rerank" (beam search, then weighted mutual information), "beam", "greedy",
                "sample" or "forced" (the ids of `targets`); None takes rerank where there is a
                language model, else beam.
            mi: subtract the prior word by word during the search. None means yes for all but
                rerank on a captioner with a language model, as published.
            temperature: lambda, the weight of the prior.
            beam_size: hypotheses per unit.
            length: longest description in tokens, the stop counted.
            legacy: in rerank, count one language-model token past the stop, as published.
            targets: int (units, L) ids to force, without the start token; L takes the place of
                `length`.
            clamp_beam: narrow a beam wider than the vocabulary instead of refusing it.
            details: keep scores of all words and attention weights, as forced always does.
            seed: of the draws of "sample"; None is 0.
            precision: of the decoder's matrix products, "float32" or "bfloat16"; p(d) and the
                scores of final beams are always float32.

        Raises:
            UserError: the request cannot be met (`requests`), or features or targets do not fit.
        """
        if clamp_beam:
            beam_size = min(beam_size, self.tokenizer.vocabulary.size)
        request = Request(
            *(strategy, mi, temperature, beam_size, length, legacy),
            *(seed, precision, details, targets),
        )
        prior, words = self.language_model is not None, self.tokenizer.vocabulary.size
        request = checked(request, prior=prior, words=words)
        check_features(features, self.decoder.feature_size)
        with eval_mode(self):
            if request.strategy in BEAM_STRATEGIES:
                return self._decode_beams(features, request)
            return self._decode_paths(features, request)

    def describe(
        self,
        result: ExemplarSet,
        layer: str | None = None,
        images: np.ndarray | None = None,
        trust: bool = False,
    ) -> list[dict[str, Any]]:
        """A table of descriptions of mined exemplars; see `milan_core.captioner.describe`."""
        device = str(self._device)
        return describe_exemplars(self, result, images, layer, device=device, trust=trust)

    @torch.inference_mode()
    def score(
        self,
        captions: Sequence[str],
        features: Any,
        mi: bool | None = None,
        temperature: float = _DEFAULT.temperature,
    ) -> np.ndarray:
        """Forced decoding of texts through their stop tokens: float32 (len(captions),).

        Args:
            captions: one per unit, or any number for a single unit, of `features` (units, k, F).
            features: see `decode`.
            mi: log p(caption|E) - `temperature` * log p(caption) instead of log p(caption|E). None
                means yes on a captioner with a language model, as in `decode`.
            temperature: lambda, the weight of the prior.
        """
        check_features(features, self.decoder.feature_size)
        mi = self.language_model is not None if mi is None else mi
        if mi:
            need_language_model(self.language_model is not None, "mi=True")
        captions = list(captions)
        if len(features) not in (1, len(captions)):
            message = (
                f"got {len(captions)} captions for {len(features)} units; give one caption per "
                "unit, or the features of one unit"
            )
            raise UserError(message)
        if not captions:
            return np.zeros(0, np.float32)
        tokens = torch.from_numpy(self.tokenizer.encode(captions)).to(self._device)
        with eval_mode(self):
            result = self._forced(tokens, features)
            if mi and self.language_model is not None:
                result = result - temperature * self.language_model.sequence_logp(tokens[:, 1:])
        return result.cpu().numpy()

    @property
    def unit_batch(self) -> int:
        """Units decoded at once."""
        return self.max_unit_batch or default_unit_batch(self._device)

    @property
    def _device(self) -> torch.device:
        return self.decoder.output.weight.device

    def _steppers(self, features: Any, request: Request) -> Iterator[tuple[Steppers, int]]:
        """What makes steppers for each block of units, and its number of units."""
        prior = self.language_model if request.mi else None
        weights = functools.cache(functools.partial(StepWeights, self.decoder))
        blocks = feature_blocks(features, self.unit_batch, self._device)
        for block in tracked(blocks, "describing", "unit", total=len(features), size=len):

            def made(dtype: torch.dtype, block: Tensor = block) -> Stepper:
                return Stepper(self.decoder, block, prior, request.temperature, weights(dtype))

            yield made, len(block)

    def _beams(self, features: Any, request: Request) -> Iterator[Beams]:
        """The beams of each block of units; scored in float32 whatever the search computes in."""
        words = self.tokenizer.vocabulary
        for made, units in self._steppers(features, request):
            sizes = request.beam_size, request.length
            beams = beam_search(made(request.dtype), units, words.start, words.stop, *sizes)
            if request.dtype != torch.float32:
                beams = rescored(made(torch.float32), beams, words.start, words.stop)
            yield beams

    def _decode_beams(self, features: Any, request: Request) -> Descriptions:
        words, size = self.tokenizer.vocabulary, request.beam_size
        parts = list(self._beams(features, request))
        tokens = join_units([part.tokens for part in parts], (0, size, 0), words.stop)
        scores = join_units([part.scores for part in parts], (0, size))
        prior = None
        if self.language_model is not None:
            legacy = request.legacy and request.strategy == "rerank"
            prior = beam_prior(self.language_model, tokens, legacy=legacy).cpu().numpy()
        beam_scores = scores.cpu().numpy()
        beam_logp = beam_scores
        if request.mi and prior is not None:
            beam_logp = beam_scores + np.float32(request.temperature) * prior
        best, chosen = np.zeros(len(tokens), np.int64), beam_scores[:, 0]
        if request.strategy == "rerank" and prior is not None:
            best, chosen = best_beam(beam_logp, prior, request.temperature)
        beam_tokens = tokens.cpu().numpy()
        units = np.arange(len(best))
        return Descriptions(
            captions=self.tokenizer.decode(beam_tokens[units, best]),
            tokens=beam_tokens[units, best],
            scores=chosen,
            logp=beam_logp[units, best],
            logp_lm=None if prior is None else prior[units, best],
            temperature=request.temperature,
            beam_captions=BeamTexts(beam_tokens, self.tokenizer.decode),
            beam_tokens=beam_tokens,
            beam_scores=beam_scores,
            beam_logp=beam_logp,
            beam_logp_lm=prior,
        )

    def _decode_paths(self, features: Any, request: Request) -> Descriptions:
        parts = list(self._paths(features, request))
        words, length = self.tokenizer.vocabulary, request.length
        tokens = join_units([part.tokens for part in parts], (0, length), words.stop)
        prior = None
        if self.language_model is not None:
            prior = beam_prior(self.language_model, tokens.unsqueeze(1))[:, 0].cpu().numpy()

        def gather(take: Callable[[Any], Tensor], *shape: int) -> np.ndarray:
            return join_units([take(part) for part in parts], shape).cpu().numpy()

        details = request.details or request.strategy == "forced"
        return Descriptions(
            captions=self.tokenizer.decode(tokens),
            tokens=tokens.cpu().numpy(),
            scores=gather(lambda part: part.scores, 0),
            logp=gather(lambda part: part.logp, 0),
            logp_lm=prior,
            temperature=request.temperature,
            predictions=gather(lambda part: part.predictions, 0, 0, 0) if details else None,
            attentions=gather(lambda part: part.attentions, 0, 0, 0) if details else None,
        )

    def _paths(self, features: Any, request: Request) -> Iterator[Paths]:
        """One hypothesis per unit, block by block: greedy, drawn, or the given ids."""
        words, targets, first = self.tokenizer.vocabulary, request.targets, 0
        if targets is not None and len(targets) != len(features):
            message = f"got targets of {len(targets)} units and features of {len(features)}"
            raise UserError(message)
        sampler = None
        if request.strategy == "sample":
            sampler = torch_generator(request.seed or 0, "sample")
        for made, units in self._steppers(features, request):
            forced = None
            if targets is not None:
                forced = torch.from_numpy(targets[first : first + units]).to(self._device)
            yield follow(
                *(made(request.dtype), units, words.start, words.stop, request.length),
                sampler=sampler,
                forced=forced,
                details=request.details or forced is not None,
            )
            first += units

    def _forced(self, tokens: Tensor, features: Any) -> Tensor:
        """Sum of log p(w|E) over words and stop of every row of ids (N, T), start first: (N,)."""
        rows, result = 4 * self.unit_batch, []
        blocks = feature_blocks(features, rows, self._device)
        only = next(blocks) if len(features) == 1 else None
        for chunk in tokens.split(rows):
            block = next(blocks) if only is None else only.expand(len(chunk), -1, -1)
            terms = self.decoder.word_logp(block, chunk)
            lengths = counted_lengths(chunk[:, 1:], self.tokenizer.vocabulary.stop)
            counted = torch.arange(terms.shape[1], device=tokens.device) < lengths.unsqueeze(1)
            result.append(torch.where(counted, terms, 0.0).sum(dim=1))
        return torch.cat(result)
