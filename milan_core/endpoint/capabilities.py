"""Probe a server once, kept in the cassette: images, log-probabilities, JSON."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.files import canonical_json
from milan_core.endpoint.answer import Answer
from milan_core.endpoint.client import Endpoint
from milan_core.endpoint.picture import Picture
from milan_core.endpoint.question import Question

COLORS = {"red": (220, 20, 20), "green": (20, 160, 40), "blue": (30, 60, 220)}
SIDE = 64
SCHEMA = canonical_json(
    {
        "type": "object",
        "properties": {"digit": {"type": "number"}},
        "required": ["digit"],
        "additionalProperties": False,
    }
)


@dataclass(frozen=True)
class Capabilities:
    """The capabilities of a model behind a server.

    Attributes:
        images: it names the colors of plain pictures.
        logprobs: it gives log-probabilities of its tokens.
        schema: it keeps to a JSON schema.
        problems: by capability, why it is missing.

    """

    images: bool
    logprobs: bool
    schema: bool
    problems: dict[str, str]

    def facts(self) -> dict[str, object]:
        """Values of JSON, for records."""
        return asdict(self)


def probe(endpoint: Endpoint) -> Capabilities:
    """Ask five short questions; the answers stay in the cassette.

    Raises:
        UserError: the server answers none of them.

    """
    pictures = [
        Question("What color is this picture? Answer with one word.", (plain(rgb),), max_tokens=16)
        for rgb in COLORS.values()
    ]
    digit = Question("Answer with the digit 1 and nothing else.", max_tokens=4, logprobs=True)
    json = Question("Answer in JSON: the digit 1 as `digit`.", max_tokens=32, schema=SCHEMA)
    *colors, one, fields = endpoint.ask([*pictures, digit, json])
    if not any(answer.answered for answer in (*colors, one, fields)):
        raise UserError(
            f"endpoint: model {endpoint.model!r} answers no question ({one.problem}); check the "
            "address and that the server runs"
        )
    problems = {
        "images": _images(colors),
        "logprobs": one.problem or ("" if one.first else "the reply has none"),
        "schema": fields.problem,
    }
    return Capabilities(
        **{name: not problem for name, problem in problems.items()},
        problems={name: problem for name, problem in problems.items() if problem},
    )


def _images(colors: list[Answer]) -> str:
    """Why the model does not see; empty where it names all colors."""
    for name, answer in zip(COLORS, colors, strict=True):
        if answer.problem:
            return answer.problem
        named = set(re.findall(r"[a-z]+", answer.text.lower())) & set(COLORS)
        if named != {name}:
            return f"a {name} picture was answered with {answer.text[:40]!r}"
    return ""


def plain(rgb: tuple[int, int, int]) -> Picture:
    """A picture of one color."""
    return Picture(np.full((SIDE, SIDE, 3), rgb, np.uint8))
