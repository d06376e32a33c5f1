"""Image files below a folder, in order, and counts of what was passed over.

Paths are kept as short texts, about 100 bytes a picture, so that the training set of ImageNet is
listed in 150 MB.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from milan_core.core.errors import UserError

EXTENSIONS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm",
    ".pgm",
)  # fmt: skip
_OTHER = """heic heif avif jxl jp2 j2k jpx svg eps pdf psd xcf ico tga exr hdr dcm dicom nii czi nd2
lif raw dng cr2 cr3 nef arw orf rw2 raf pbm pnm pcx fits mat npy tar tgz gz zip 7z rar parquet arrow
tfrecord part partial crdownload download"""  # the last ones: archives, unfinished downloads
_STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"II*\0", b"MM\0*")
SYSTEM = frozenset({"@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "__MACOSX"})
"""Folders that systems make beside pictures: thumbnails, deleted files."""
OTHER_PICTURES = frozenset(f".{ending}" for ending in _OTHER.split())


@dataclass
class Listing:
    """Relative paths with forward slashes, sorted part by part, and what is not among them."""

    folder: Path
    paths: list[str] = field(default_factory=list)
    passed_over: dict[str, int] = field(default_factory=dict)


def list_images(folder: Path) -> Listing:
    """The images below `folder`; links to folders are followed once, hidden names are left out.

    Counted as passed over: pictures of other formats, archives and unfinished downloads by their
    ending, pictures without one by their first bytes, closed folders, folders of the system, names
    with an ending of ours that are no plain files (pipes, broken links). Files with other endings,
    such as texts, are not counted.

    Raises:
        UserError: where the folder is missing or closed, or holds no image.

    """
    if not folder.is_dir():
        msg = f"image folder not found: {folder}"
        raise UserError(msg)
    counts: Counter[str] = Counter()
    paths = list(_walk(str(folder), "", set(), counts))
    passed = dict(sorted(counts.items()))
    if not paths:
        beside = f"; passed over {said(passed)}" if passed else ""
        msg = f"no images in {folder}: looked for {', '.join(EXTENSIONS)} at any depth{beside}"
        raise UserError(msg)
    paths.sort(key=lambda path: path.split("/"))
    return Listing(folder, paths, passed)


def check_pictures(folder: Path) -> None:
    """Raise what `list_images` raises, without listing a folder that has an image."""
    if not folder.is_dir() or next(_walk(str(folder), "", set(), Counter()), None) is None:
        list_images(folder)


def said(passed: dict[str, int]) -> str:
    """Counts of what was passed over, for a message."""
    return ", ".join(f"{count} {reason}" for reason, count in passed.items())


def _walk(folder: str, prefix: str, seen: set[str], counts: Counter[str]) -> Iterator[str]:
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except PermissionError:
        if not prefix:
            raise UserError(f"no permission to read the image folder {folder}") from None
        counts["closed folders"] += 1
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        ending = PurePosixPath(entry.name).suffix.lower()
        if entry.name in SYSTEM and _is_folder(entry):
            counts["folders of the system"] += 1
        elif _is_folder(entry):
            yield from _walk(entry.path, f"{prefix}{entry.name}/", seen, counts)
        elif ending in OTHER_PICTURES:
            counts[f"{ending} files"] += 1
        elif ending in EXTENSIONS:
            if entry.is_file():
                yield f"{prefix}{entry.name}"
            else:
                counts["names that are no plain files"] += 1
        elif not ending and _is_picture(entry):
            counts["pictures without an ending in their name"] += 1


def _is_picture(entry: os.DirEntry[str]) -> bool:
    try:
        if not entry.is_file():
            return False
        with Path(entry.path).open("rb") as file:
            return file.read(4).startswith(_STARTS)
    except OSError:
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False
