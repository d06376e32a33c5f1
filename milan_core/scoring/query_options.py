"""Queries over descriptions, as data: shipped ones, and the user's own from the configuration."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field

from milan_core.core.errors import unknown
from milan_core.core.options import Section

SHIPPED = Path(__file__).with_name("queries.yaml")


class Query(Section):
    """What a description must say for its unit to match."""

    words: list[str] = Field(min_length=1, description="Any of these words or phrases")
    exclude: list[str] = Field([], description="Phrases in which such a word does not count")
    match: Literal["words", "substring"] = Field(
        "words", description="Whole words with their plurals, or any substring, as published"
    )
    concepts: list[str] = Field(
        [], description="Names of the same thing in the ground truth of composed scenes"
    )
    detector: Literal["face"] | None = Field(
        None, description="Automatic second opinion where nothing is known of the images"
    )


@functools.cache
def shipped_queries() -> Mapping[str, Query]:
    """The queries that come with the package, by name."""
    raw = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    return {name: Query.model_validate(entry) for name, entry in raw.items()}


def choose_queries(names: Iterable[str], own: Mapping[str, Query], where: str) -> dict[str, Query]:
    """The named queries; an own one hides a shipped one of the same name."""
    known = {**shipped_queries(), **own}
    found = {}
    for name in names:
        if name not in known:
            raise unknown("query", name, known, where)
        found[name] = known[name]
    return found
