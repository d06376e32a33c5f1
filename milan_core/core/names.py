"""Names that become file names: layers, units and other texts from outside, in one place.

`file_name` is injective, so two layers never share a folder, and its results are single names below
a folder, whatever the text holds. `below` joins a relative path that somebody else wrote, and
refuses one that leaves the folder.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TypeVar

from milan_core.core.errors import UserError

Item = TypeVar("Item")
_PLAIN = re.compile(r"[A-Za-z0-9_.-]")
_LONGEST = 120  # letters of a file name; systems allow 255 bytes


def file_name(text: str) -> str:
    """A file name for any text: letters, digits and `_.-` stay, every other byte is `~XX`.

    A leading dot is encoded, an empty text is `~`, and the end of a long name is replaced by a
    digest of the text.
    """
    encoded = "".join(
        character if _PLAIN.match(character) else _encoded(character) for character in text
    )
    if encoded.startswith("."):
        encoded = "~2E" + encoded[1:]
    if len(encoded) > _LONGEST:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        encoded = f"{encoded[: _LONGEST - 18]}~~{digest}"
    return encoded or "~"


def _encoded(character: str) -> str:
    return "".join(f"~{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def check_links(folder: Path, what: str) -> None:
    """Refuse a folder of somebody else's with a link to something outside of it.

    Raises:
        UserError: with the link; a copy of the folder would hold what lies there.

    """
    for root, folders, names in os.walk(folder):
        for path in (Path(root, name) for name in (*folders, *names)):
            if path.is_symlink():
                below(folder, path.relative_to(folder).as_posix(), what)


def below(folder: Path, name: str, what: str) -> Path:
    """The path of `name`, a relative path with forward slashes, below `folder`.

    Raises:
        UserError: for an absolute path, one with `..` or NUL, or one that a link leads out of the
            folder; `what` says whose name it is.

    """
    parts = PurePosixPath(name).parts
    escapes = (
        not parts
        or "\0" in name
        or "\\" in name
        or PurePosixPath(name).is_absolute()
        or any(part in ("..", "/") for part in parts)
    )
    if not escapes:
        path = folder.joinpath(*parts)
        inside = os.path.realpath(folder)
        escapes = os.path.commonpath([inside, os.path.realpath(path)]) != inside
    if escapes:
        raise UserError(f"{what} {name!r} leaves its folder {folder}; give a plain relative path")
    return path


def items_below(items: Mapping[str, Item], prefix: str) -> dict[str, Item]:
    """The items whose names start with a prefix, by the rest of their names."""
    return {key.removeprefix(prefix): one for key, one in items.items() if key.startswith(prefix)}
