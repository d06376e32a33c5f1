"""Take the pictures of an atlas that stand in the documentation.

    PYTHONPATH=. python -m tests.atlas.pictures ATLAS OUT NAME=FRAGMENT[,WIDTHxHEIGHT[,dark]] ...

Each is written as OUT/NAME.webp.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from tests.atlas.browser import Browser

SIZE = "1360x900"


def take(browser: Browser, atlas: Path, fragment: str, size: str, dark: bool, out: Path) -> None:
    """One picture, of what fits into the window."""
    width, height = map(int, size.split("x"))
    page = browser.open(atlas / "index.html", width=width, height=height)
    page.scheme("dark" if dark else "light")
    page.size(width, height, scale=1 if width > 600 else 2, mobile=width < 600)
    page.to(fragment)
    time.sleep(1.5)  # pictures are loaded after the texts
    with tempfile.TemporaryDirectory() as folder:
        page.picture(Path(folder) / "page.png")
        with Image.open(Path(folder) / "page.png") as picture:
            picture.convert("RGB").save(out, quality=82, method=6)
    page.close()


def main() -> None:
    """Take all that are asked for."""
    atlas, out = Path(sys.argv[1]), Path(sys.argv[2])
    with Browser() as browser:
        for word in sys.argv[3:]:
            name, _, what = word.partition("=")
            fragment, size, dark = [*what.split(","), "", ""][:3]
            take(browser, atlas, fragment, size or SIZE, bool(dark), out / f"{name}.webp")


if __name__ == "__main__":
    main()
