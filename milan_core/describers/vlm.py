"""Descriptions by a vision-language model behind a server, from evidence packets.

For each unit the model sees one contact sheet (`packets`, `contact`) and says what the positives
share and the negatives lack: once by its most probable answer and a few times by a draw. Candidates
are chosen by its verdicts: log P(all positives show d) - weight x log P(some negative shows d)
(verification.md S9, the form for servers without log-probabilities of given texts).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.files import canonical_json
from milan_core.core.tables import cell
from milan_core.describers.contact import COLUMNS, contact_sheet, tiles
from milan_core.describers.declared_options import DescriberOptions
from milan_core.describers.describer import (
    Candidates,
    Describer,
    Description,
    Descriptions,
    Resources,
    TableForm,
)
from milan_core.describers.options import VlmOptions
from milan_core.describers.packets import LayerPackets, Packet
from milan_core.describers.spoken import phrase_of, refuses
from milan_core.describers.units import UnitImages, Units
from milan_core.endpoint.answer import Answer
from milan_core.endpoint.capabilities import Capabilities, probe
from milan_core.endpoint.cassette import Cassette
from milan_core.endpoint.client import Endpoint
from milan_core.endpoint.picture import Picture
from milan_core.endpoint.question import Question
from milan_core.referee.judges.answerer import question_of, yes

BLOCK = 16  # units whose questions are made at once; bounds memory
LONGEST = 200  # characters of a description
LEAST = 1e-3  # of a probability
NOTHING = {"", "none", "nothing", "n/a", "unknown"}
SCHEMA = canonical_json(
    {
        "type": "object",
        "properties": {
            "description": {"type": "string"},
            "part_of": {"type": "string"},
            "confidence": {"type": "number"},
        },
        "required": ["description"],
        "additionalProperties": False,
    }
)
SHARED = "Do all images of this sheet show: {text}? Answer 1 or 0."
PRESENT = "Does any image of this sheet show: {text}? Answer 1 or 0."


class Judged(NamedTuple):
    """A candidate with the model's verdicts on it; NaN where there is none."""

    text: str
    score: float
    shared: float  # probability that all positives show it
    present: float  # that a negative does


class Asked(NamedTuple):
    """The judged candidates of one unit, best first; failed where no question was answered."""

    ranked: list[Judged]
    failed: bool


class Vlm(Describer):
    """A vision-language model that is asked about contact sheets.

    Args:
        options: of the packets, the questions and the server.
        endpoint: the model; None: the server and cassette of the options.

    """

    Options: ClassVar[type[DescriberOptions]] = VlmOptions
    form: ClassVar[TableForm] = TableForm(("score", "shared", "present"), 6)

    def __init__(self, options: VlmOptions, endpoint: Endpoint | None = None) -> None:
        self._options = options
        self._endpoint = endpoint or Endpoint(
            options.endpoint,
            Cassette(Path(options.cassette), options.endpoint.model, replay=options.replay),
        )

    @classmethod
    def load(cls, options: VlmOptions, resources: Resources) -> Vlm:
        """The describer; the server is asked when there are units."""
        return cls(options)

    def describe(self, units: Units) -> Descriptions:
        """Ask about every unit that shows something."""
        with self._endpoint.open() as endpoint:
            able = probe(endpoint)
            if not able.images:
                raise UserError(
                    f"model {endpoint.model!r} does not see pictures: {able.problems['images']}; "
                    "give a vision-language model"
                )
            sheets = self._sheets(units)
            asked: list[Asked] = []
            while block := list(itertools.islice(sheets, BLOCK)):
                asked += self._ask(block, able)
        rows = [_row(one) for one in asked]
        width = max((len(one.ranked) for one in asked), default=0)
        scores = np.full((len(asked), width), math.nan)
        for place, one in enumerate(asked):
            scores[place, : len(one.ranked)] = [item.score for item in one.ranked]
        texts = [[item.text for item in one.ranked] for one in asked]
        return Descriptions(
            units.keys, rows, Candidates(texts, {"score": scores}) if width else None
        )

    def _sheets(self, units: Units) -> Iterator[Sheets | None]:
        """The pictures of each unit; None for one that shows nothing."""
        silent = units.silent or {}
        pictures, shown, places = units.pictures, units.exemplars(), iter(enumerate(units.keys))
        for maxima in units.maxima().values():
            packets = LayerPackets(maxima, self._options.packet)
            for unit in range(len(maxima)):
                index, key = next(places)
                if key in silent:
                    yield None
                else:
                    yield Sheets(packets.of(unit), shown[index], pictures, self._options)

    def _ask(self, sheets: Sequence[Sheets | None], able: Capabilities) -> list[Asked]:
        """The judged candidates of a block of units."""
        draws = [self._draws(sheet, able) if sheet else [] for sheet in sheets]
        answers = iter(self._endpoint.ask([question for unit in draws for question in unit]))
        given = [[next(answers) for _ in unit] for unit in draws]
        proposed = [_texts(unit, able) for unit in given]
        asked = [
            _verdict_questions(sheet, one) if sheet else []
            for sheet, one in zip(sheets, proposed, strict=True)
        ]
        answers = iter(self._endpoint.ask([question for unit in asked for question in unit]))
        done = []
        for unit, candidates, questions in zip(given, proposed, asked, strict=True):
            values = [yes(next(answers)) for _ in questions]
            failed = bool(unit) and not any(answer.answered for answer in unit)
            done.append(Asked(self._ranked(candidates, values), failed))
        return done

    def _draws(self, sheet: Sheets, able: Capabilities) -> list[Question]:
        """The question about a unit: the most probable answer, then draws."""
        picture, prompt = (Picture(sheet.whole),), sheet.prompt()
        schema = SCHEMA if able.schema else ""
        tokens = self._options.max_tokens
        return [
            Question(prompt, picture, tokens, 0.0 if seed == 0 else 0.7, 2 * seed, schema=schema)
            for seed in range(1 + self._options.draws)
        ]

    def _ranked(self, candidates: Sequence[str], values: Sequence[float]) -> list[Judged]:
        """The candidates with their verdicts, best first."""
        half = len(values) // max(len(candidates), 1)
        out = []
        for place, text in enumerate(candidates):
            shared, *present = values[half * place : half * (place + 1)]
            against = present[0] if present else math.nan
            score = _log(shared) - self._options.negative_weight * _log(against)
            out.append(Judged(text, score, shared, against))
        return sorted(out, key=lambda item: -item.score)


class Sheets:
    """The pictures of one unit.

    Args:
        packet: positions in `pictures`.
        unit: the unit's exemplars with masks, which are the strongest images.
        pictures: uint8 (n, H, W, 3).
        options: side of a tile, masks or none.

    """

    def __init__(
        self, packet: Packet, unit: UnitImages, pictures: np.ndarray, options: VlmOptions
    ) -> None:
        count, side = options.packet.top, options.tile
        self._masked = options.masks
        top = tiles(unit.images[:count], side, unit.masks[:count] if options.masks else None)
        self.positives = [top, tiles(np.asarray(pictures[packet.range]), side)]
        against = np.concatenate([packet.hard, packet.neighbor]).astype(np.int64)
        self.negatives = tiles(np.asarray(pictures[against]), side)

    @property
    def whole(self) -> np.ndarray:
        """Positives above negatives: uint8 (H, W, 3)."""
        return contact_sheet([*self.positives, self.negatives])

    def prompt(self) -> str:
        """The question about the whole sheet."""
        names, first, groups = [], 1, [*self.positives, self.negatives]
        meanings = (
            "A: images that one unit of a vision network responds to most"
            + (", dark outside the region that it responds to" if self._masked else ""),
            "B: images that it responds to more weakly",
            "N: images that it does not respond to",
        )
        for group, meaning in zip(groups, meanings, strict=True):
            rows = -(-len(group) // COLUMNS)
            if rows:
                last = first + rows - 1
                place = (
                    f"Row {first}"
                    if rows == 1
                    else f"Rows {first} {'and' if rows == 2 else 'to'} {last}"
                )
                names.append(f"{place}, {meaning}.")
                first = last + 1
        lack = " and none of N shows" if len(self.negatives) else ""
        return (
            f"A sheet of small images. {' '.join(names)} In one phrase of at most 12 words, name "
            f"what all of A and B share{lack}: an object, a part, a texture, a color or a scene. "
            'Say "none" if there is nothing. Answer in JSON: {"description": "..."}'
        )


def _texts(answers: Sequence[Answer], able: Capabilities) -> list[str]:
    """Distinct descriptions, in the order they were first given."""
    texts = [
        " ".join(_description(answer, able).split())[:LONGEST].rstrip(".")
        for answer in answers
        if answer.answered
    ]
    first = {text.lower(): text for text in reversed(texts)}
    order = dict.fromkeys(text.lower() for text in texts)
    return [first[text] for text in order if text not in NOTHING and not refuses(text)]


def _description(answer: Answer, able: Capabilities) -> str:
    """The field of the answer; of a server without schemas what its text says."""
    if able.schema:
        return str(answer.fields["description"])
    return phrase_of(answer.text, cut=answer.cut)


def _verdict_questions(sheet: Sheets, texts: Sequence[str]) -> list[Question]:
    """For each text: do all positives show it, and, where there are negatives, does one of them?"""
    if not texts:
        return []
    shown = contact_sheet(sheet.positives)
    against = contact_sheet([sheet.negatives]) if len(sheet.negatives) else None
    questions = []
    for text in texts:
        questions.append(question_of(shown, SHARED.format(text=text)))
        if against is not None:
            questions.append(question_of(against, PRESENT.format(text=text)))
    return questions


def _log(probability: float) -> float:
    """Logarithm of a probability, between LEAST and 1; no answer counts as one half."""
    value = 0.5 if math.isnan(probability) else probability
    return math.log(min(max(value, LEAST), 1.0))


def _row(asked: Asked) -> Description:
    if not asked.ranked:
        return Description("", failed=asked.failed)
    best = asked.ranked[0]
    cells = {"shared": cell(best.shared), "present": cell(best.present)}
    return Description(best.text, best.score, cells)
