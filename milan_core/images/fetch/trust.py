"""Verify a file against the published digest, or against the digest of its first download.

Beside a fetched file lies `FILE.lock.json` with its SHA-256, size and address. Where the publisher
gives no digest, every later copy is compared with that record (trust on first use).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from milan_core.core.archives import open_zip
from milan_core.core.errors import UserError, first_line, reading
from milan_core.core.files import file_sha256, read_json, write_json
from milan_core.images.fetch.archive import DAMAGED
from milan_core.images.fetch.options import PublishedFile

_MAGIC = {
    ".npy": b"\x93NUMPY", ".gz": b"\x1f\x8b", ".tgz": b"\x1f\x8b", ".xz": b"\xfd7zXZ",
    ".bz2": b"BZh", ".png": b"\x89PNG", ".jpg": b"\xff\xd8", ".jpeg": b"\xff\xd8",
    ".h5": b"\x89HDF",
}  # fmt: skip
FORMAT = "milan-download"
VERSION = 1


def lock_path(target: Path) -> Path:
    """Path of the record of a file."""
    return target.with_name(f"{target.name}.lock.json")


def read_lock(target: Path) -> dict[str, Any] | None:
    """The record of a file's first download, or None."""
    path = lock_path(target)
    if not path.is_file():
        return None
    with reading(path, "a record of a download", "delete it"):
        record: dict[str, Any] = read_json(path, "record of a download")
        readable = record.get("format") == FORMAT and isinstance(record["sha256"], str)
    if not readable or record.get("format_version") != VERSION:
        msg = f"{path} is not a record of a download that this release reads; delete it"
        raise UserError(msg)
    return record


def write_lock(spec: PublishedFile, path: Path, target: Path, url: str, digest: str) -> None:
    """Record the digest, size and address of `path`, which becomes `target`."""
    record = {
        "format": FORMAT,
        "format_version": VERSION,
        "file": target.name,
        "url": url,
        "sha256": digest,
        "size": path.stat().st_size,
        "checked": "against the published digest" if spec.sha256 else "first use",
    }
    write_json(lock_path(target), record)


def difference(spec: PublishedFile, digest: str, target: Path) -> str:
    """Describe the fault of a file of this digest; empty where it is the published one."""
    if spec.sha256:
        wrong = not digest.startswith(spec.sha256)
        dots = "" if len(spec.sha256) == 64 else "..."
        return f"SHA-256 is {digest}, expected {spec.sha256}{dots}" if wrong else ""
    record = read_lock(target)
    if record and record["sha256"] != digest:
        return (
            f"SHA-256 is {digest}, but was {record['sha256']} when it was first fetched; if the "
            f"publisher changed it, delete {lock_path(target)} to accept the new file"
        )
    return ""


def whole(path: Path, name: str, *, thorough: bool) -> str:
    """Why a file is truncated or not in the format that its name says; else empty.

    Catches error pages that a server sends in place of the file. `thorough` also reads every member
    of a zip.
    """
    with path.open("rb") as handle:
        head = handle.read(1024)
    ending = Path(name).suffix.lower()
    if not head:
        return "it is empty"
    if ending not in (".html", ".htm", ".xhtml") and _is_page(head):
        return "it is a page of HTML, as servers send in place of a file"
    if ending == ".safetensors":
        length = int.from_bytes(head[:8], "little")
        fits = head[8:9] == b"{" and 8 + length <= path.stat().st_size
        return "" if fits else "it is not a safetensors file"
    if ending in (".pth", ".pt", ".bin") and head[:1] == b"\x80":  # a pickle: no list of members
        return ""
    if ending in (".zip", ".npz", ".whl", ".pth", ".pt", ".bin"):
        return _zip_problem(path, ending, thorough)
    if not head.startswith(_MAGIC.get(ending, b"")):
        return f"it is not a {ending} file"
    return ""


def _is_page(head: bytes) -> bool:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<?xml", b"<!--")):
        return b"<html" in text or b"<!doctype html" in text
    return text.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))


def _zip_problem(path: Path, ending: str, thorough: bool) -> str:
    try:
        with open_zip(path) as archive:
            # torch may leave checksums out of .pth files
            bad = archive.testzip() if thorough and ending in (".zip", ".npz") else None
    except (OSError, *DAMAGED) as error:
        return f"it is not a whole {ending} file ({first_line(error)})"
    return f"its member {bad!r} is damaged" if bad else ""


def verify(spec: PublishedFile, target: Path) -> str:
    """Describe the fault of a file in place; empty where there is none."""
    if not target.is_file():
        return "it is not there"
    digest = file_sha256(target)
    problem = difference(spec, digest, target)
    return problem or whole(target, target.name, thorough=not spec.sha256)
