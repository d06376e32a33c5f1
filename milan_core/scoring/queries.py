"""Whether a description answers a query: whole words, synonyms, and phrases that do not count.

    matches("A clock face", {"words": ["face"], "exclude": ["clock face"]})  # False

A query is an entry of `milan_core.scoring.query_options` as a plain mapping.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from milan_core.scoring.words import phrase_spans, tokens


def matches(description: str, query: Mapping[str, Any]) -> bool:
    """Whether one of the query's words stands in `description` outside every excluded phrase.

    With `match: substring` any substring counts, as in the published code: then "texture" answers
    "text".
    """
    if query.get("match", "words") == "substring":
        return any(word.lower() in description.lower() for word in query["words"])
    words = tokens(description)
    taken = [span for phrase in query.get("exclude", ()) for span in phrase_spans(words, phrase)]
    return any(
        not any(start < taken_end and taken_start < end for taken_start, taken_end in taken)
        for word in query["words"]
        for start, end in phrase_spans(words, word)
    )
