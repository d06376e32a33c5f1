"""Queries over descriptions: the shipped ones, and whether a description matches.

matches("A clock face", Query(words=["face"], exclude=["clock face"]))  # False
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from milan_core.core.errors import unknown
from milan_core.scoring.options import Query
from milan_core.scoring.words import phrase_spans, tokens

SHIPPED = Path(__file__).with_name("queries.yaml")


@functools.cache
def shipped_queries() -> Mapping[str, Query]:
    """The queries that come with the package, by name."""
    raw = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    return {name: Query.model_validate(entry) for name, entry in raw.items()}


def choose_queries(
    names: Iterable[str], further: Mapping[str, Query], where: str
) -> dict[str, Query]:
    """The named queries; one of `further` hides a shipped one of the same name."""
    queries = {**shipped_queries(), **further}
    chosen = {}
    for name in names:
        if name not in queries:
            raise unknown("query", name, queries, where)
        chosen[name] = queries[name]
    return chosen


def matches(description: str, query: Query) -> bool:
    """Whether one of the query's words stands in `description` outside every excluded phrase.

    With `match: substring` any substring counts, as in the published code: then "texture" matches
    "text".
    """
    if query.match == "substring":
        return any(word.lower() in description.lower() for word in query.words)
    words = tokens(description)
    excluded = [span for phrase in query.exclude for span in phrase_spans(words, phrase)]
    return any(
        not any(start < other_end and other_start < end for other_start, other_end in excluded)
        for word in query.words
        for start, end in phrase_spans(words, word)
    )
