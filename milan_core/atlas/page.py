"""The page of the atlas: one HTML file, one style sheet and one script, out of `app`.

The script is the files of `SCRIPTS`, joined in this order inside one function: pages from disk
may not load modules. Nothing of the data stands in the HTML.
"""

from __future__ import annotations

import html
from pathlib import Path

from milan_core.core.files import write_bytes, write_text

APP = Path(__file__).with_name("app")
SCRIPTS = (
    "data.js",
    "elements.js",
    "state.js",
    "pictures.js",
    "text.js",
    "search.js",
    "found.js",
    "list.js",
    "plots.js",
    "unit.js",
    "candidates.js",
    "overview.js",
    "network.js",
    "image.js",
    "compare.js",
    "experiment.js",
    "main.js",
)
STYLES = ("base.css", "views.css")


def write_page(out: Path, title: str) -> None:
    """Write index.html, atlas.js and atlas.css into the folder `out`."""
    page = (APP / "index.html").read_text(encoding="utf-8")
    write_text(out / "index.html", page.replace("{{title}}", html.escape(title)))
    write_bytes(out / "atlas.js", joined_scripts().encode())
    style = "".join((APP / name).read_text(encoding="utf-8") for name in STYLES)
    write_bytes(out / "atlas.css", style.encode())


def joined_scripts() -> str:
    """All scripts as one strict function."""
    parts = [(APP / name).read_text(encoding="utf-8") for name in SCRIPTS]
    return "(function () {\n'use strict';\n" + "\n".join(parts) + "})();\n"
