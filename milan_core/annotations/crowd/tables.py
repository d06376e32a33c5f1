"""Tasks for crowd workers: one a unit, as a CSV table of image addresses (spec 3.4).

Nothing here talks to a crowd platform: the tables go to whichever one is used. Addresses are opened
only by a check that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlparse

from milan_core.annotations.catalog import picture_url
from milan_core.core.errors import UserError
from milan_core.core.files import write_csv
from milan_core.core.units import UnitKey
from milan_core.images.fetch.web import answers

IMAGES = 15  # exemplars a unit
CHECKS = 8  # addresses opened at once
Check = Callable[[str], bool]


def hit_rows(
    units: Iterable[UnitKey], base_url: str, images: int = IMAGES, limit: int | None = None
) -> list[list[str]]:
    """Rows layer, unit, and the addresses of `images` pictures; at most `limit` rows."""
    if limit is not None and limit < 1:
        msg = f"limit must be at least 1, got {limit}"
        raise UserError(msg)
    return [
        [layer, str(unit), *(picture_url(base_url, layer, unit, rank) for rank in range(images))]
        for layer, unit in list(units)[:limit]
    ]


def write_hits(path: Path | str, rows: Sequence[Sequence[str]], check: Check | None = None) -> None:
    """Write layer, unit, image_url_1 ... image_url_n; one row a task.

    `check` says whether an address can be opened: with one that cannot, nothing is written.
    """
    if not rows:
        msg = "there are no units to make tasks of"
        raise UserError(msg)
    if check is not None:
        urls = [url for row in rows for url in row[2:]]
        with ThreadPoolExecutor(CHECKS) as pool:
            there = list(pool.map(check, urls))
        missing = [url for url, found in zip(urls, there, strict=True) if not found]
        if missing:
            msg = (
                f"{len(missing)} of {len(urls)} images cannot be opened, "
                f"the first is {missing[0]}; place the pictures, then write the tasks again"
            )
            raise UserError(msg)
    header = ["layer", "unit", *(f"image_url_{i + 1}" for i in range(len(rows[0]) - 2))]
    write_csv(path, header, rows)


def opens(url: str) -> bool:
    """A check of one address: whether there is such a file, or a server that gives it.

    `http(s)://` addresses are asked for their head only, with the settings of downloads.
    """
    parts = urlparse(url)
    if parts.scheme == "file":
        return Path(unquote(parts.path)).is_file()
    if parts.scheme in ("http", "https"):
        return answers(url)
    msg = f"only http://, https:// and file:// addresses can be checked, got {url}"
    raise UserError(msg)
