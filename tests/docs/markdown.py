"""Links, anchors and code of Markdown pages, as GitHub reads them."""

import re
from pathlib import Path

_FENCE = re.compile(r"^(```|~~~)[^\n]*\n(.*?)^\1", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)


def prose(text: str) -> str:
    """The text without code."""
    return re.sub(r"`[^`\n]+`", "", _FENCE.sub("", text))


def links(text: str) -> list[str]:
    """Targets of links and pictures that lie in the repository."""
    found = _LINK.findall(prose(text))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """Anchors of the headings; a repeated heading gets a number."""
    seen: dict[str, int] = {}
    result = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        count = seen.get(anchor, 0)
        seen[anchor] = count + 1
        result.add(f"{anchor}-{count}" if count else anchor)
    return result


def commands(path: Path) -> list[str]:
    """Lines of blocks without a language, continued lines joined."""
    blocks = re.findall(r"^```\n(.*?)^```", path.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in re.sub(r"\\\n\s*", " ", block).splitlines()]
