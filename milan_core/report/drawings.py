"""SVG files as markup inside a page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from milan_core.core.drawing import INK, RULE


def inline_svg(path: Path, name: str) -> Any:
    """An SVG file as markup for a page: ids made unique, colors of the page, no metadata."""
    from markupsafe import Markup

    text = path.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text)
    text = text.replace("xlink:href", "href")
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = text.replace(INK, "var(--ink)").replace(RULE, "var(--rule)")
    return Markup(text)
