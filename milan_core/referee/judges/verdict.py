"""Verdicts: yes-or-no answers of a vision-language model about single images.

An `Answerer` is the client of such a model: `answerer.EndpointAnswerer`, or in Python any object
with `model` and `answers`. Every image of every text is a question, so scores with it draw few
images (`estimated`, importance sampling).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.seeding import generator
from milan_core.endpoint.cassette import Cassette
from milan_core.endpoint.client import Endpoint
from milan_core.referee.importance import IMAGES, Estimate, Rule, draw, estimate, proposal
from milan_core.referee.judge import Judge as AnyJudge
from milan_core.referee.judge import JudgedImages, JudgeResources
from milan_core.referee.judges.answerer import EndpointAnswerer
from milan_core.referee.options import VerdictOptions

QUESTION = "Does the image show: {text}? Answer 1 or 0."


class Answerer(Protocol):
    """A model that answers questions about images.

    Attributes:
        model: its identity, as `Judge.model`.

    """

    model: str

    def answers(self, pixels: np.ndarray, question: str) -> np.ndarray:
        """Probability of yes for images uint8 (m, H, W, 3): float32 [m]; NaN: no answer."""


class Judge:
    """A judge that asks a model.

    Args:
        answerer: the model's client.
        opened: context in which it may be asked; one around many calls saves work.

    """

    def __init__(
        self,
        answerer: Answerer,
        opened: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.name, self.model = f"verdicts of {answerer.model}", answerer.model
        self._answerer, self.opened = answerer, opened

    @classmethod
    def load(cls, options: VerdictOptions, resources: JudgeResources) -> Judge:
        """A model behind an endpoint; every answer is kept in the cassette, for good."""
        cassette = Cassette(Path(options.cassette), options.endpoint.model, replay=options.replay)
        endpoint = Endpoint(options.endpoint, cassette)
        return cls(EndpointAnswerer(endpoint), endpoint.open)

    def columns(self, images: JudgedImages, texts: Sequence[str]) -> np.ndarray:
        """Probability of yes: float32 [images, texts]; every image is asked about every text."""
        out = np.empty((len(images), len(texts)), np.float32)
        with self.opened():
            for place, text in enumerate(texts):
                out[:, place] = self.answers(images, np.arange(len(images)), text)
        return out

    def answers(self, images: JudgedImages, positions: np.ndarray, text: str) -> np.ndarray:
        """Probability of yes for some of the images: float32 [m], NaN where there is no answer."""
        pixels = np.asarray(images.dataset.images[images.ids[positions]])
        with self.opened():
            given = self._answerer.answers(pixels, QUESTION.format(text=text))
        return np.asarray(given, np.float32)


@dataclass(frozen=True)
class Estimated:
    """One unit's correlation with verdicts.

    Attributes:
        correlation: with its interval.
        asked: distinct images that the model was asked about.
        unanswered: of them.

    """

    correlation: Estimate
    asked: int
    unanswered: int


def estimated(
    judge: Judge,
    images: JudgedImages,
    a: np.ndarray,
    text: str,
    cheap: AnyJudge,
    seed: int,
    count: int = IMAGES,
    rule: Rule = "influence",
) -> Estimated:
    """Correlation of activations float [images] with a costly judge of a text, from `count` draws.

    Each image is asked about once, however often it was drawn.

    Raises:
        UserError: where the cheap judge and the costly one are the same model, or the cheap judge
            cannot read the text.

    """
    if cheap.model == judge.model:
        raise UserError(
            f"cheap and costly judge are the same model ({judge.model}); choose another"
        )
    c = cheap.columns(images, [text])[:, 0]
    if np.isnan(c).any():
        raise UserError(f"judge {cheap.name!r} cannot read {text!r}; choose another cheap judge")
    q = proposal(a, c, rule)
    drawn = draw(q, generator(seed, "verdicts", text), count)
    distinct, back = np.unique(drawn, return_inverse=True)
    answers = judge.answers(images, distinct, text)
    return Estimated(
        estimate(a, q, drawn, answers[back]), len(distinct), int(np.isnan(answers).sum())
    )
