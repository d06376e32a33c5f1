"""The cost of questions: an estimate before they are asked, and the count afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from milan_core.endpoint.options import EndpointOptions
from milan_core.endpoint.picture import Picture
from milan_core.endpoint.question import Question

LETTERS = 4  # characters of English a token, roughly
SIDE = 28  # pixels of a token's side of an image, roughly; models differ by a factor of two


@dataclass(frozen=True)
class Spend:
    """Requests and tokens.

    Attributes:
        questions: that were to be answered, distinct.
        kept: of them, answered by the cassette.
        requests: sent, repeated ones included.
        unanswered: questions without an answer.
        asked: tokens of requests.
        answered: tokens of replies.
        price: in the currency of the options' prices; None where no price was given.

    """

    questions: int = 0
    kept: int = 0
    requests: int = 0
    unanswered: int = 0
    asked: int = 0
    answered: int = 0
    price: float | None = None

    def __str__(self) -> str:
        """One sentence."""
        price = "" if self.price is None else f", price {self.price:.4g}"
        return (
            f"{self.questions} questions, {self.kept} from the cassette, {self.requests} requests, "
            f"{self.asked} tokens asked and {self.answered} answered{price}; "
            f"{self.unanswered} unanswered"
        )


def priced(spend: Spend, options: EndpointOptions) -> Spend:
    """The same with its price."""
    if options.price_in is None and options.price_out is None:
        return spend
    million = (options.price_in or 0) * spend.asked + (options.price_out or 0) * spend.answered
    return Spend(**{**vars(spend), "price": million / 1e6})


def estimated(questions: Iterable[Question], kept: int, options: EndpointOptions) -> Spend:
    """Tokens and price of questions that are still to be asked, if every answer is full length.

    Args:
        questions: distinct questions that the cassette lacks.
        kept: questions that it has.
        options: prices.

    """
    todo = list(questions)
    asked = sum(
        -(-len(question.text) // LETTERS) + sum(map(_image_tokens, question.images))
        for question in todo
    )
    answered = sum(question.max_tokens for question in todo)
    return priced(Spend(len(todo) + kept, kept, len(todo), 0, asked, answered), options)


def _image_tokens(picture: Picture) -> int:
    """Tokens of a picture by its size."""
    height, width = picture.pixels.shape[:2]
    return -(-width // SIDE) * -(-height // SIDE)
