"""What PMI decoding asks of a captioner and of a prior, whatever their family.

    wpmi(d) = log p(d|E) - lambda * log p(d)        (Hernandez et al. 2022, equation 3)

A *captioner* proposes descriptions of a unit with log p(d|E), a *prior* gives log p(d). Both are
natural logarithms summed over the tokens of the text and its end, each in its own tokenisation: a
probability of a string does not depend on how it is split, so families mix freely. The units are
opaque here: exemplar features for the LSTM family, images and masks for the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from milan_core.captioner.descriptions import Descriptions
from milan_core.captioner.options import BeamOptions
from milan_core.captioner.rerank import best_beam
from milan_core.core.errors import UserError

_DEFAULT = BeamOptions()


class Exemplars(NamedTuple):
    """The exemplars of one unit, as the image families read them."""

    images: np.ndarray  # uint8 [k, H, W, 3], RGB
    masks: np.ndarray  # bool [k, H, W]; a mask without pixels is no evidence


@dataclass(frozen=True)
class Candidates:
    """Descriptions proposed for one unit, best first."""

    texts: list[str]
    """[B] at least one."""
    logp: np.ndarray
    """float32 [B] log p(d|E) through the end."""
    tokens: np.ndarray | None = None
    """int64 [B, n] ids as in `Descriptions.tokens`; None outside the LSTM family."""
    tokenizer: Any = None
    """Whose ids `tokens` are."""


class Captioner(Protocol):
    """Evidence: p(d|E)."""

    def candidates(self, units: Any, beam_size: int, length: int) -> list[Candidates]:
        """At most `beam_size` descriptions per unit, of at most `length` tokens with the end."""

    def score(self, units: Any, texts: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Log p(d|E) of given texts, a list per unit: float32 (number of texts,) per unit."""


class Prior(Protocol):
    """p(d); `milan_core.captioner.language_model.LanguageModel` is one as it stands."""

    def logp(self, texts: Sequence[str]) -> np.ndarray:
        """Log p(d) through the end of every text: float32 (len(texts),)."""


@runtime_checkable
class TokenPrior(Protocol):
    """A prior that can read a captioner's own token ids.

    Ids turned to text may split differently when read again (unknown words, hyphens), so a prior
    with the captioner's vocabulary scores the ids themselves.
    """

    tokenizer: Any

    def tokens_logp(self, tokens: np.ndarray) -> np.ndarray:
        """Log p(d) through the first stop of rows of ids (N, n): float32 (N,)."""


def pmi_describe(
    captioner: Captioner,
    prior: Prior | None,
    units: Any,
    temperature: float = _DEFAULT.temperature,
    beam_size: int = _DEFAULT.beam_size,
    length: int = _DEFAULT.length,
) -> Descriptions:
    """The description of every unit with the highest weighted PMI among its candidates.

    The result is what `Captioner.decode(strategy="rerank")` returns, so tables, beam files and
    `milan_core.captioner.rerank.sweep` take it as it is. A family may propose fewer candidates for
    some units: `beam_captions` then has fewer texts, and the arrays end in -inf (`beam_logp`) and 0
    (`beam_logp_lm`), which no weight selects. Without ids, `tokens` is (units, 0) and `beam_tokens`
    is None. Equal scores: the earlier candidate.

    Args:
        captioner: any family.
        prior: any family; None describes by log p(d|E) alone.
        units: as the captioner reads them.
        temperature: lambda, the weight of the prior.
        beam_size: candidates per unit, at most.
        length: longest description in tokens of the captioner, the end counted.

    Raises:
        UserError: a size below 1 or a temperature that is not finite.
    """
    _check(temperature, beam_size, length)
    found = captioner.candidates(units, beam_size, length)
    logp = _table([unit.logp for unit in found], -np.inf)
    prior_logp = None if prior is None else _table(_prior_logp(prior, found), 0.0)
    weight = 0.0 if prior_logp is None else temperature
    lm = np.zeros_like(logp) if prior_logp is None else prior_logp
    empty = np.zeros(0, np.int64), np.zeros(0, np.float32)
    best, scores = best_beam(logp, lm, weight) if found else empty
    return replace(_record(found, logp, prior_logp, best, scores), temperature=weight)


def _check(temperature: float, beam_size: int, length: int) -> None:
    for name, value in (("beam_size", beam_size), ("length", length)):
        if value < 1:
            message = f"{name} is {value}; give at least 1"
            raise UserError(message)
    if not np.isfinite(temperature):
        message = f"temperature is {temperature}; give a finite weight of the prior, such as 0.2"
        raise UserError(message)


def _prior_logp(prior: Prior, found: list[Candidates]) -> list[np.ndarray]:
    """Log p(d) of all candidates, asked for at once so that a prior can score repeats once."""
    if not found:
        return []
    ends = np.cumsum([len(unit.texts) for unit in found])[:-1]
    if isinstance(prior, TokenPrior) and _share_ids(prior, found):
        values = prior.tokens_logp(np.concatenate([np.asarray(unit.tokens) for unit in found]))
    else:
        values = prior.logp([text for unit in found for text in unit.texts])
    return np.split(values, ends)


def _share_ids(prior: TokenPrior, found: list[Candidates]) -> bool:
    return all(unit.tokens is not None and unit.tokenizer == prior.tokenizer for unit in found)


def _table(rows: list[np.ndarray], fill: float) -> np.ndarray:
    """Rows of different lengths as float32 (units, longest)."""
    width = max((len(row) for row in rows), default=0)
    table = np.full((len(rows), width), fill, np.float32)
    for target, row in zip(table, rows, strict=True):
        target[: len(row)] = row
    return table


def _record(
    found: list[Candidates],
    logp: np.ndarray,
    prior_logp: np.ndarray | None,
    best: np.ndarray,
    scores: np.ndarray,
) -> Descriptions:
    rows = np.arange(len(found))
    ids = [unit.tokens for unit in found if unit.tokens is not None]
    tokens = np.stack(ids) if found and len(ids) == len(found) else None
    return Descriptions(
        captions=[unit.texts[index] for unit, index in zip(found, best, strict=True)],
        tokens=np.zeros((len(found), 0), np.int64) if tokens is None else tokens[rows, best],
        scores=scores,
        logp=logp[rows, best],
        logp_lm=None if prior_logp is None else prior_logp[rows, best],
        beam_captions=[unit.texts for unit in found],
        beam_tokens=tokens,
        beam_scores=logp,
        beam_logp=logp,
        beam_logp_lm=prior_logp,
    )
