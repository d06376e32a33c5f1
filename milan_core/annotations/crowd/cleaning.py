"""From raw crowd answers to annotations (spec 3.5).

    rejected answers out -> lower case -> spelling -> prefixes -> replacements -> suffixes
    -> whole answers -> strip -> what one worker always writes

The lists are data: `cleaning.yaml`, or the user's own file of the same form.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from milan_core.annotations.records import Annotation, unit_number, unit_text
from milan_core.core.errors import UserError
from milan_core.core.files import numbered_rows
from milan_core.core.yaml_files import load_yaml

RULES = Path(__file__).with_name("cleaning.yaml")
COLUMNS = ("Answer.summary", "RejectionTime", "WorkerId")
UNIT_COLUMNS = ("Input.layer", "Input.unit")
URL_COLUMN = "Input.image_url_1"
FORM = {"prefixes": list, "suffixes": list, "replacements": dict, "exact": dict}
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
IN_URL = re.compile(r"/([^/]+)/unit_(\d+)/[^/]+$")


class Speller(Protocol):
    """Corrects words; see `milan_core.annotations.crowd.spelling`."""

    def correct(self, word: str) -> str:
        """The word itself when it is known or nothing better is."""


@dataclass(frozen=True)
class CleaningRules:
    """Phrases to remove or replace; all in lower case, applied in order."""

    prefixes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    replacements: Mapping[str, str] = field(default_factory=dict)
    exact: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | str = RULES) -> CleaningRules:
        """Read a file of the form of `cleaning.yaml`."""
        data = _read_yaml(Path(path), "cleaning rules")
        for key, value in data.items():
            if key not in FORM or not isinstance(value, FORM[key]):
                shown = ", ".join(f"{name} ({kind.__name__})" for name, kind in FORM.items())
                msg = f"{path}: {key!r} does not fit; the keys are {shown}"
                raise UserError(msg)
        return cls(
            tuple(map(str, data.get("prefixes", ()))),
            tuple(map(str, data.get("suffixes", ()))),
            _strings(data.get("replacements", {})),
            _strings(data.get("exact", {})),
        )

    def apply(self, text: str) -> str:
        """`text` (lower case) without boilerplate."""
        text = " ".join(text.split())
        for prefix in self.prefixes:
            if text.startswith(prefix):
                text = _phrase(prefix, start=True).sub("", text).lstrip(" ,;:.-")
        text = replace_phrases(text, self.replacements)
        before = None
        while before != text:
            before = text
            for suffix in self.suffixes:
                if text.endswith(suffix):
                    text = _phrase(suffix, end=True).sub("", text).rstrip()
        return " ".join(self.exact.get(text, text).split())


@dataclass
class Cleaned:
    """Annotations in input order, and what happened to the rest."""

    annotations: list[Annotation] = field(default_factory=list)
    answers: int = 0
    rejected: int = 0
    empty: int = 0  # nothing was left, so there is no annotation
    changed: int = 0  # beyond case and spaces
    corrections: Counter[tuple[str, str]] = field(default_factory=Counter)  # (word, correction)
    worker_rules: Counter[str] = field(default_factory=Counter)  # answers changed, by worker


def clean(
    path: Path | str,
    rules: CleaningRules | None = None,
    speller: Speller | None = None,
    workers: Mapping[str, Mapping[str, str]] | None = None,
    *,
    legacy: bool = False,
) -> Cleaned:
    """Clean a table of results as the crowd platform exports it.

    Args:
        path: CSV with columns Input.layer, Input.unit, Answer.summary, RejectionTime, WorkerId.
        rules: `CleaningRules.load()` by default.
        speller: corrects unknown words first; none by default.
        workers: per worker id, phrases and what stands for them: {"A1": {"space around": ""}}.
        legacy: take layer and unit from the first image's URL, which old tables have instead.

    """
    path, rules, result = Path(path), rules or CleaningRules.load(), Cleaned()
    columns = (*COLUMNS, *((URL_COLUMN,) if legacy else UNIT_COLUMNS))
    for line, row in numbered_rows(path, columns):
        result.answers += 1
        if row["RejectionTime"].strip():
            result.rejected += 1
            continue
        where = f"{path}, line {line}"
        layer, unit = _unit_of(row, where, legacy)
        raw = " ".join(unit_text(row["Answer.summary"], where).lower().split())
        text = rules.apply(_spell(raw, speller, result.corrections) if speller else raw)
        worker = row["WorkerId"]
        cleaned = " ".join(replace_phrases(text, (workers or {}).get(worker, {})).split())
        result.worker_rules[worker] += int(cleaned != text)
        result.changed += cleaned != raw
        if cleaned:
            result.annotations.append(Annotation(layer, unit, cleaned))
        else:
            result.empty += 1
    result.worker_rules += Counter()  # drops the workers whose answers stayed
    return result


def _unit_of(fields: Mapping[str, str], where: str, legacy: bool) -> tuple[str, int]:
    if not legacy:
        return fields["Input.layer"], unit_number(fields["Input.unit"], where)
    match = IN_URL.search(fields[URL_COLUMN].partition("?")[0])
    if not match:
        msg = f"{where}: expected .../<layer>/unit_<number>/<image>, got {fields[URL_COLUMN]!r}"
        raise UserError(msg)
    return unquote(match[1]), int(match[2])


def _spell(text: str, speller: Speller, corrections: Counter[tuple[str, str]]) -> str:
    """Words corrected where they stand, whatever punctuation is beside them."""

    def fix(match: re.Match[str]) -> str:
        word = match[0]
        better = speller.correct(word)
        if better != word:
            corrections[word, better] += 1
        return better

    return WORD.sub(fix, text)


def replace_phrases(text: str, phrases: Mapping[str, str]) -> str:
    """Whole words and phrases replaced, in order."""
    for phrase, instead in phrases.items():
        if phrase in text:
            text = _phrase(phrase).sub(instead.replace("\\", r"\\"), text)
    return text


_COMPILED: dict[tuple[str, bool, bool], re.Pattern[str]] = {}


def _phrase(phrase: str, start: bool = False, end: bool = False) -> re.Pattern[str]:
    """A pattern for `phrase` as whole words, at the start or end of the text if so asked."""
    key = (phrase, start, end)
    if key not in _COMPILED:
        left = r"(?<!\w)" if re.match(r"\w", phrase) else ""
        right = r"(?!\w)" if re.search(r"\w$", phrase) else ""
        core = left + re.escape(phrase) + right
        _COMPILED[key] = re.compile((r"\A" if start else "") + core + (r"\Z" if end else ""))
    return _COMPILED[key]


def read_worker_rules(path: Path | str) -> dict[str, dict[str, str]]:
    """A YAML file {worker id: {phrase: replacement}}, or {worker id: [phrases to remove]}."""
    rules: dict[str, dict[str, str]] = {}
    for worker, phrases in _read_yaml(Path(path), "worker rules").items():
        if isinstance(phrases, Sequence) and not isinstance(phrases, str):
            rules[str(worker)] = {str(phrase).lower(): "" for phrase in phrases}
        elif isinstance(phrases, Mapping):
            rules[str(worker)] = {k.lower(): v for k, v in _strings(phrases).items()}
        else:
            msg = f"{path}: worker {worker!r} needs a list of phrases or a map of replacements"
            raise UserError(msg)
    return rules


def _strings(values: Mapping[Any, Any]) -> dict[str, str]:
    return {str(key): "" if value is None else str(value) for key, value in values.items()}


def _read_yaml(path: Path, what: str) -> dict[Any, Any]:
    data = load_yaml(path)
    if not isinstance(data, dict):
        msg = f"{what} {path} must be a map, got {type(data).__name__}"
        raise UserError(msg)
    return data
