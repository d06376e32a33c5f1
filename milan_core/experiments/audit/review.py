"""A page on which people say, unit by unit, whether a matched unit really answers the query.

The paper counted only units that its authors had looked at. The page is blind: rows are in random
order and do not tell the network, so that nobody can favor one. Its button saves the answers as
CSV; the configuration's `audit.review` then names that file to count again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from milan_core.core.errors import UserError, reads
from milan_core.core.files import read_csv, read_json, text_hash, write_bytes, write_text
from milan_core.core.seeding import generator
from milan_core.core.units import UnitKey
from milan_core.exemplars import sheets
from milan_core.experiments.audited import Audited

TEMPLATES = Path(__file__).parent / "templates"
ANSWERS = ("id", "answer")
YES, NO = ("yes", "y", "1", "true"), ("no", "n", "0", "false")


def review_id(model: str, query: str, key: UnitKey) -> str:
    """The name of one question on the page; does not tell the network."""
    return text_hash(f"{model}/{query}/{key[0]}/{key[1]}")


def write_review(
    folder: Path,
    matched: Sequence[tuple[str, str, UnitKey]],
    networks: Mapping[str, Audited],
    images: Mapping[str, np.ndarray],
    seed: int,
) -> None:
    """Write index.html and one picture per unit into `folder`.

    `matched` are (network, query, unit); `images` the probe images uint8 (N, H, W, 3) by network.
    """
    order = generator(seed, "review").permutation(len(matched))
    thumbnails = {name: sheets.Thumbnails(array) for name, array in images.items()}
    rows = []
    for index in order.tolist():
        model, query, key = matched[index]
        identity = review_id(model, query, key)
        exemplars = networks[model].exemplars
        masks = exemplars.masks(key[0], sheets.TILE, units=[key[1]])[0]
        ids = exemplars.ids(key[0])[key[1]]
        write_bytes(folder / f"{identity}.webp", sheets.unit_sheet(thumbnails[model], ids, masks))
        text = networks[model].descriptions[key]
        rows.append({"id": identity, "query": query, "description": text})
    k = next(iter(networks.values())).exemplars.k
    write_text(folder / "index.html", _page(rows, sheets.sheet_size(k)))


def _page(rows: Sequence[Mapping[str, str]], size: tuple[int, int]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("review.html").render(rows=rows, width=size[0], height=size[1])


@reads("answers to a review", "save them again")
def read_answers(path: Path) -> dict[str, bool]:
    """Answers by question, of the CSV that the page saves or a JSON object {id: answer}.

    Questions without an answer are left out; anything but yes and no is refused.
    """
    if path.suffix == ".json":
        raw = read_json(path, "review answers")
        if not isinstance(raw, dict):
            raise UserError(f"review answers {path}: expected a JSON object {{id: answer}}")
        pairs = [(str(key), str(value)) for key, value in raw.items()]
    else:
        pairs = [(row["id"], row["answer"]) for row in read_csv(path, ANSWERS)]
    answers: dict[str, bool] = {}
    for identity, text in pairs:
        word = text.strip().lower()
        if word and word not in (*YES, *NO):
            raise UserError(f"{path}: answer {text!r} of question {identity}; expected yes or no")
        if identity in answers:
            raise UserError(f"{path}: question {identity} is answered twice")
        if word:
            answers[identity] = word in YES
    return answers


def confirmed(
    answers: Mapping[str, bool], matched: Sequence[tuple[str, str, UnitKey]], path: Path | str
) -> dict[tuple[str, str], list[UnitKey]]:
    """Units that people confirmed, by (network, query); refuses answers to other questions.

    Every question must have its answer: a count over some of them would compare unlike things.
    """
    by_id = {review_id(model, query, key): (model, query, key) for model, query, key in matched}
    if strange := sorted(set(answers) - set(by_id)):
        raise UserError(
            f"{path}: {len(strange)} answers (such as {strange[0]}) belong to another audit; "
            "review the page of this run and save its answers"
        )
    if missing := sorted(set(by_id) - set(answers)):
        raise UserError(
            f"{path}: {len(missing)} of {len(by_id)} questions have no answer; answer all of them "
            "on the review page and save again"
        )
    kept: dict[tuple[str, str], list[UnitKey]] = {}
    for identity, (model, query, key) in by_id.items():
        units = kept.setdefault((model, query), [])
        if answers[identity]:
            units.append(key)
    return kept
