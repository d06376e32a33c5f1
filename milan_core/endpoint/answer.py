"""The answer to one question, read from a server's reply.

Replies come from programs of others: every field is checked, and a reply that is not as the
interface says is no answer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from milan_core.core.files import json_of
from milan_core.endpoint.question import Question

MOST_TEXT = 20_000  # characters


class MalformedReply(Exception):
    """A reply that holds no answer of the form that was asked for; says why."""


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        text: empty where there is none.
        first: log-probabilities of the most probable first tokens, natural logarithms; empty where
            the server gives none.
        total: sum of the log-probabilities of the answer's own tokens; None where there are none.
        problem: why there is no answer; empty where there is one.
        final: whether asking again is of no use.
        cut: whether the text was cut at `max_tokens`.

    """

    text: str = ""
    first: tuple[tuple[str, float], ...] = ()
    total: float | None = None
    problem: str = ""
    final: bool = True
    cut: bool = False

    @property
    def answered(self) -> bool:
        """Whether there is an answer."""
        return not self.problem

    @property
    def fields(self) -> dict[str, Any]:
        """The answer as an object of JSON; of questions with a schema."""
        return dict(json.loads(self.text))


def unanswered(problem: str, *, final: bool) -> Answer:
    """No answer, and why."""
    return Answer(problem=problem, final=final)


@dataclass(frozen=True)
class Usage:
    """Tokens that the server counted."""

    asked: int = 0
    answered: int = 0


def read_answer(body: str, question: Question) -> Answer:
    """The answer in a reply of status 200.

    Raises:
        MalformedReply: a refusal, bad JSON (also where it was cut), or fields of another form.

    """
    choices = _parsed(body).get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        count = len(choices) if isinstance(choices, list) else "no list of"
        raise MalformedReply(f"expected 1 choice, got {count}")
    message = choices[0].get("message")
    if not isinstance(message, dict):
        raise MalformedReply("the choice has no message")
    if message.get("refusal"):
        raise MalformedReply("the model refused")
    text = message.get("content")
    if not isinstance(text, str) or not text.strip():
        raise MalformedReply("the message has no text")
    if len(text) > MOST_TEXT:
        raise MalformedReply(f"a text of {len(text)} characters, more than {MOST_TEXT}")
    if choices[0].get("finish_reason") == "content_filter":
        raise MalformedReply("the server filtered the answer")
    if question.schema:
        _check_fields(text, question, str(choices[0].get("finish_reason")))
    first, total = _logprobs(choices[0]) if question.logprobs else ((), None)
    cut = choices[0].get("finish_reason") == "length"
    return Answer(text.strip(), first, total, cut=cut)


def usage(body: str) -> Usage:
    """The tokens of a reply; zeros where the server does not count."""
    try:
        counted = _parsed(body).get("usage")
    except MalformedReply:
        return Usage()
    if not isinstance(counted, dict):
        return Usage()
    numbers = [counted.get(name) for name in ("prompt_tokens", "completion_tokens")]
    return Usage(*(n if type(n) is int and 0 <= n < 1 << 40 else 0 for n in numbers))


def _parsed(body: str) -> Mapping[str, Any]:
    try:
        value = json_of(body)
    except (ValueError, RecursionError):
        raise MalformedReply("the reply is no JSON") from None
    if not isinstance(value, dict):
        raise MalformedReply("the reply is no object of JSON")
    return value


def _check_fields(text: str, question: Question, reason: str) -> None:
    """Refuse a text that is no object with the required fields of the schema."""
    try:
        value = json_of(text)
    except (ValueError, RecursionError):
        cut = " (it was cut at max_tokens)" if reason == "length" else ""
        raise MalformedReply(f"the answer is no JSON{cut}") from None
    schema = json.loads(question.schema)
    kinds = {"string": str, "number": (int, float), "boolean": bool, "array": list, "object": dict}
    if not isinstance(value, dict):
        raise MalformedReply("the answer is no object of JSON")
    for name in schema.get("required", []):
        kind = kinds[schema["properties"][name]["type"]]
        if not isinstance(value.get(name), kind):  # type: ignore[arg-type]
            raise MalformedReply(f"the answer has no {name} of the expected type")


def _logprobs(choice: Mapping[str, Any]) -> tuple[tuple[tuple[str, float], ...], float | None]:
    """(most probable first tokens, sum over the answer's tokens); empty where there are none."""
    logprobs = choice.get("logprobs")
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(tokens, list) or not tokens:
        return (), None
    values = [_token(item) for item in tokens]
    listed = tokens[0].get("top_logprobs")
    first = [_token(item) for item in listed] if isinstance(listed, list) else []
    return tuple(first or values[:1]), math.fsum(value for _, value in values)


def _token(item: Any) -> tuple[str, float]:
    if isinstance(item, dict):
        token, value = item.get("token"), item.get("logprob")
        if isinstance(token, str) and isinstance(value, int | float) and value <= 1e-3:
            return token, min(max(float(value), -1e9), 0.0)  # -inf: never
    raise MalformedReply("a log-probability is no number that is at most 0")
