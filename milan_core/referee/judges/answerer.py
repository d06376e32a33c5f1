"""Yes-or-no answers about images by a model behind an endpoint.

    answerer = EndpointAnswerer(endpoint)
    answerer.answers(pixels, "Does the image show: dogs? Answer 1 or 0.")

The probability of yes is P("1") / (P("1") + P("0")) over the most probable first tokens where the
server gives log-probabilities, else 1 or 0 by the word that was answered. Where a model answers by
other words of `WORDS`, such as "No", these count too; what else it says is no answer, however
probable a digit would have been.
"""

from __future__ import annotations

import math
import re

import numpy as np

from milan_core.endpoint.answer import Answer
from milan_core.endpoint.client import Endpoint
from milan_core.endpoint.picture import Picture
from milan_core.endpoint.question import Question

WORDS = {"1": 1.0, "yes": 1.0, "true": 1.0, "0": 0.0, "no": 0.0, "false": 0.0}
TOKENS = 8  # of an answer
BLOCK = 256  # images asked about at once; bounds the memory of requests


class EndpointAnswerer:
    """A model behind an endpoint, asked about one image at a time.

    Args:
        endpoint: open for recording or replaying.

    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.model, self._endpoint = endpoint.model, endpoint

    def answers(self, pixels: np.ndarray, question: str) -> np.ndarray:
        """Probability of yes for images uint8 (m, H, W, 3): float32 [m]; NaN: no answer."""
        out = np.empty(len(pixels), np.float32)
        for start in range(0, len(pixels), BLOCK):
            block = [question_of(image, question) for image in pixels[start : start + BLOCK]]
            out[start : start + len(block)] = [yes(answer) for answer in self._endpoint.ask(block)]
        return out


def question_of(image: np.ndarray, text: str) -> Question:
    """A yes-or-no question about an image uint8 (H, W, 3)."""
    return Question(text, (Picture(np.asarray(image)),), TOKENS, logprobs=True)


def yes(answer: Answer) -> float:
    """Probability of yes, 0 to 1; NaN where the answer is neither yes nor no."""
    words = re.findall(r"[a-z]+|\d+", answer.text.lower())
    said = WORDS.get(words[0], math.nan) if words else math.nan
    first = [(token.strip().lower(), logprob) for token, logprob in answer.first]
    best = max(first, key=lambda pair: pair[1], default=("", 0.0))[0]
    if math.isnan(said) or best not in WORDS:
        return said
    counted = WORDS if best.isalpha() else ("1", "0")
    mass = {1.0: 0.0, 0.0: 0.0}
    for token, logprob in first:
        if token in counted:
            mass[WORDS[token]] += math.exp(logprob)
    total = sum(mass.values())
    return mass[1.0] / total if total else said
