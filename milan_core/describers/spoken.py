"""The phrase in an answer of a language model that keeps to no schema.

Such models wrap JSON into sentences and fences of code, think aloud before it, stop at the limit of
tokens in the middle of it, or refuse in words. What is left of a wrapping is no description.
"""

from __future__ import annotations

import json
import re

THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)
REFUSAL = re.compile(
    r"(?:i'm|i am|we're|we are) (?:very |so )?(?:sorry|unable)\b|sorry[,.!;:]|apologies\b"
    r"|i apologi[sz]e\b|(?:i|we) (?:can't|cannot|can not|won't|will not)\b|as an ai\b",
    re.IGNORECASE,
)
MARKS = " \"'*#`"


def refuses(text: str) -> bool:
    """Whether a text is a refusal in words, which is no description."""
    return REFUSAL.match(text.replace("’", "'").strip(MARKS)) is not None


def phrase_of(text: str, *, cut: bool = False) -> str:
    """The `description` of JSON in a text, else the first line that says something; else empty.

    Args:
        text: of the answer.
        cut: whether it was cut at the limit of tokens.

    """
    text = THOUGHT.sub("", text).strip()
    for place in re.finditer(r"\{", text):
        try:
            value, _ = json.JSONDecoder().raw_decode(text, place.start())
        except (ValueError, RecursionError):
            continue
        said = value.get("description")
        return said if isinstance(said, str) else ""
    if text.startswith(("{", "```")) or '"description"' in text:  # JSON that is damaged or cut
        return ""
    lines = [line for line in (one.strip(MARKS) for one in text.splitlines()) if line]
    if cut:
        lines = lines[:-1]
    return next((line for line in lines if not line.endswith(":")), "")
