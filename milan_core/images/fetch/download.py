"""Download one published file: complete and verified, or not at all.

The file is written under a temporary name and renamed after its size, format and SHA-256 have been
checked. A broken transfer resumes where it ended, in this run or the next, unless the published
file has changed. Two runs that want the same file wait for each other.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from milan_core.core.addresses import hidden
from milan_core.core.errors import UserError, printable
from milan_core.core.files import file_sha256
from milan_core.core.lock import file_lock
from milan_core.images.fetch.attempt import InterruptedTransfer, Patience, RefusedTransfer
from milan_core.images.fetch.options import PublishedFile
from milan_core.images.fetch.partial import Part
from milan_core.images.fetch.places import brought_folders
from milan_core.images.fetch.transfer import transfer
from milan_core.images.fetch.trust import (
    difference,
    lock_path,
    read_lock,
    whole,
    write_lock,
)

LONGEST_WAIT = 60.0  # seconds
NEW = 1 << 20  # new bytes that reset the count of failed attempts


def fetch_file(spec: PublishedFile, target: Path | str, patience: Patience | None = None) -> Path:
    """Make `target` the published file of `spec`; returns `target`.

    A file in place is checked and kept. Otherwise it is copied from the folder of MILAN_DOWNLOADS
    or from resources/downloads, where a file of its name lies there, else downloaded from the first
    address that gives it.

    Raises:
        UserError: when the file in place is another one, or no address gives it; the message says
            what to place where.

    """
    target = Path(target)
    with file_lock(target):
        if target.is_file():
            _accept_present(spec, target)
            return target
        reasons = []
        for url in (*_placed(target.name), *spec.urls):
            reason = _from_address(spec, url, target, patience or Patience())
            if not reason:
                return target
            reasons.append(f"{hidden(url)}: {reason}")
    raise _not_fetched(spec, target, reasons)


def _accept_present(spec: PublishedFile, target: Path) -> None:
    digest = file_sha256(target)
    problem = difference(spec, digest, target) or whole(target, target.name, thorough=False)
    if problem:
        msg = f"{target} is not the published file: {problem}; delete it and fetch it again"
        raise UserError(msg)
    if read_lock(target) is None:
        write_lock(spec, target, target, "placed by hand", digest)


def _placed(name: str) -> Iterator[str]:
    """Local addresses of files of this name that the user has downloaded."""
    for folder in brought_folders():
        path = folder.resolve() / name
        if path.is_file():
            yield path.as_uri()


def _from_address(spec: PublishedFile, url: str, target: Path, patience: Patience) -> str:
    """Download from one address to `target`; returns why that failed, or an empty string."""
    part = Part(target)
    for _ in range(2):  # a resumed or perhaps truncated file gets a second chance
        resumed = part.size > 0
        try:
            resumed |= _persist(url, part, bool(spec.sha256), patience)
        except RefusedTransfer as error:
            return str(error)
        digest = file_sha256(part.path)
        problem = difference(spec, digest, target) or whole(
            part.path, target.name, thorough=not spec.sha256
        )
        if not problem:
            write_lock(spec, part.path, target, url, digest)
            part.finish(target)
            return ""
        version = part.version()
        part.drop()
        if not resumed and version and version.size is not None:
            return problem
    return problem


def _persist(url: str, part: Part, pinned: bool, patience: Patience) -> bool:
    """Try with growing pauses until complete; returns whether several attempts were needed."""
    failed, tries, furthest = 0, 0, part.size
    while True:
        tries += 1
        try:
            transfer(url, part, pinned=pinned, patience=patience)
        except InterruptedTransfer as error:
            failed = 1 if part.size >= furthest + NEW else failed + 1
            furthest = max(furthest, part.size)
            if failed >= patience.attempts:
                raise RefusedTransfer(f"{error}, {failed} attempts") from None
            wait = patience.pause * 2 ** (failed - 1) if error.wait is None else error.wait
            told = printable(f"{hidden(url)}: {error}")  # servers' words
            print(f"milan: {told}; trying again", file=sys.stderr)
            time.sleep(min(wait, LONGEST_WAIT))
        else:
            return tries > 1


def _not_fetched(spec: PublishedFile, target: Path, reasons: list[str]) -> UserError:
    origin = spec.obtain or (hidden(spec.urls[0]) if spec.urls else "no address is known")
    digest = f" (SHA-256 {spec.sha256})" if spec.sha256 else ""
    if not reasons:
        msg = f"{spec.name} must be obtained by hand{digest}: {origin}; place it as {target}"
        return UserError(msg)
    return UserError(
        f"{spec.name} could not be fetched: {'; '.join(reasons)}. Without network, get it{digest} "
        f"from {origin}, place it as {target}, and run again"
    )


__all__ = ["Patience", "fetch_file", "lock_path"]
