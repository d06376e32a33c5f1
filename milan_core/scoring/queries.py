"""Whether a description answers a query: whole words, synonyms, and phrases that do not count.

matches("A clock face", Query(words=["face"], exclude=["clock face"]))  # False
"""

from __future__ import annotations

from milan_core.scoring.query_options import Query
from milan_core.scoring.words import phrase_spans, tokens


def matches(description: str, query: Query) -> bool:
    """Whether one of the query's words stands in `description` outside every excluded phrase.

    With `match: substring` any substring counts, as in the published code: then "texture" answers
    "text".
    """
    if query.match == "substring":
        return any(word.lower() in description.lower() for word in query.words)
    words = tokens(description)
    taken = [span for phrase in query.exclude for span in phrase_spans(words, phrase)]
    return any(
        not any(start < taken_end and taken_start < end for taken_start, taken_end in taken)
        for word in query.words
        for start, end in phrase_spans(words, word)
    )
