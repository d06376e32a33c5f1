"""HTML of units, grids, networks and atlases for notebooks; every text of the data is escaped."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from milan_core.describers.abstention.options import MEANING, UNRELIABLE
from milan_core.exemplars.status import SILENT, shows_nothing

GRID = 24  # units of a grid that are shown
_CARD = "border:1px solid #8884;border-radius:6px;padding:6px;width:250px"
_SOFT = "opacity:.7;font-size:.85em"


class ShownUnit(Protocol):
    """One unit as it is shown; `milan_core.atlas.reader.Unit` says what each part is."""

    @property
    def network(self) -> str:
        """Its network."""

    @property
    def layer(self) -> str:
        """Its layer."""

    @property
    def unit(self) -> int:
        """Its number."""

    @property
    def description(self) -> str:
        """Its text, reliable or not; empty where it has none."""

    @property
    def status(self) -> str:
        """Why it shows nothing, or whether its description is reliable."""

    @property
    def tendency(self) -> str:
        """What it weakly follows, where it has no description."""

    @property
    def correlation(self) -> float | None:
        """Held out, by the first judge."""

    @property
    def confidence(self) -> float | None:
        """Probability that the text is right."""

    @property
    def concept(self) -> str:
        """Its known concept."""

    @property
    def texts(self) -> Mapping[str, str]:
        """Every describer's text."""

    @property
    def scores(self) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """Held-out scores by describer and judge."""

    def picture(self, count: int = ..., columns: int = ...) -> bytes:
        """Its exemplars as one WebP image."""


class ShownUnits(Protocol):
    """Units with a title."""

    @property
    def heading(self) -> str:
        """What they are, and how many."""

    def __len__(self) -> int: ...
    def __getitem__(self, at: slice, /) -> Iterable[ShownUnit]: ...


def unit(shown: ShownUnit, labels: Mapping[str, str]) -> str:
    """One unit: pictures, status, and every describer's text with its scores by judge."""
    facts = [shown.status, _share("confidence", shown.confidence)]
    facts += [f"known concept: {shown.concept}" if shown.concept else ""]
    judges = list(dict.fromkeys(judge for one in shown.scores.values() for judge in one))
    head = ["describer", "text", *(f"held-out r by {judge}" for judge in judges)]
    rows = [
        [labels.get(name, name), text, *(_interval(shown, name, judge) for judge in judges)]
        for name, text in shown.texts.items()
    ]
    return (
        f"<div><div style='{_SOFT}'>{_e(_place(shown))}</div>"
        f"<div style='font-size:1.3em;font-weight:600'>{_e(_said(shown))}</div>"
        f"<div style='{_SOFT}'>{_e(' · '.join(filter(None, facts)))}</div>"
        f"{_picture(shown, 15, 5, 380)}{_table(head, rows)}</div>"
    )


def grid(units: ShownUnits) -> str:
    """Cards of the first units."""
    cards = "".join(_card(one) for one in units[:GRID])
    rest = len(units) - GRID
    more = f"<div style='{_SOFT}'>and {rest} more</div>" if rest > 0 else ""
    return (
        f"<div><b>{_e(units.heading)}</b>"
        f"<div style='display:flex;flex-wrap:wrap;gap:8px'>{cards}</div>{more}</div>"
    )


def network(facts: Mapping[str, Any]) -> str:
    """The layers of a network with their counts."""
    head = ["layer", "units", "with a description", "reliable", "mean held-out r"]
    rows = [
        [one["name"], one["units"], one["says"], one["reliable"], _number(one["corr"])]
        for one in facts["layers"]
    ]
    return f"<div><b>{_e(facts['name'])}</b>{_table(head, rows)}</div>"


def atlas(run: Mapping[str, Any]) -> str:
    """The networks of an atlas."""
    head = ["network", "images", "layers", "units", "different texts"]
    rows = [
        [one["name"], one["dataset"], len(one["layers"]), one["units"], one["distinct"]]
        for one in run["networks"]
    ]
    notice = f"<div style='{_SOFT}'>{_e(run['notice'])}</div>" if run["notice"] else ""
    return f"<div><b>{_e(run['title'])}</b>{notice}{_table(head, rows)}</div>"


def _card(one: ShownUnit) -> str:
    score = f" · r {_number(one.correlation)}" if one.correlation is not None else ""
    return (
        f"<div style='{_CARD}'>{_picture(one, 5, 5, 236)}<div>{_e(_said(one))}</div>"
        f"<div style='{_SOFT}'>{_e(_place(one) + score)}</div></div>"
    )


def _said(one: ShownUnit) -> str:
    """Its description, or why it has none, in the words of the page."""
    if shows_nothing(one.status, one.description):
        return SILENT[one.status]
    if one.description and one.status != UNRELIABLE:
        return one.description
    guess = f" · best guess: {one.description}" if one.description else ""
    return one.tendency or f"{MEANING[UNRELIABLE]}{guess}"


def _place(one: ShownUnit) -> str:
    return f"{one.network} · {one.layer} · {one.unit}"


def _picture(one: ShownUnit, count: int, columns: int, width: int) -> str:
    data = base64.b64encode(one.picture(count, columns)).decode()
    words = f"The images that activate {_place(one)} most"
    return f"<img alt='{_e(words)}' width='{width}' src='data:image/webp;base64,{data}'>"


def _interval(shown: ShownUnit, name: str, judge: str) -> str:
    scores = shown.scores.get(name, {}).get(judge)
    if scores is None:
        return "–"
    ends = f"[{_number(scores['low'])}, {_number(scores['high'])}]"
    return f"{_number(scores['correlation'])} {ends}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def _share(name: str, value: float | None) -> str:
    return "" if value is None else f"{name} {value:.0%}"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    names = "".join(f"<th style='text-align:left'>{_e(name)}</th>" for name in head)
    cells = ("".join(f"<td style='text-align:left'>{_e(cell)}</td>" for cell in r) for r in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"


def _e(text: Any) -> str:
    return html.escape(str(text))
