"""Digests of code that the process which started this one has computed already.

On a cluster every job starts Snakemake anew, which reads all rules and so asks for the digests of
all steps (`core.identity`), 2 of the 3 to 4 CPU-seconds of such a start. A process leaves what it
computed in its environment, with the names, sizes and times of the files that it read; one that it
starts takes the digests where its own files are the same, and else computes them.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

VARIABLE = "MILAN_STEP_CODES"
BUILT = {".pyc", ".so"}


def handed_down(name: str, sources: str, compute: Callable[[], str]) -> str:
    """The digest of this name for these sources: handed down, or else computed and handed down."""
    known = _known(sources)
    if name not in known:
        known[name] = compute()
        os.environ[VARIABLE] = json.dumps({"sources": sources, "codes": known})
    return known[name]


def _known(sources: str) -> dict[str, str]:
    try:
        stored = json.loads(os.environ.get(VARIABLE, "{}"))
        return dict(stored["codes"]) if stored["sources"] == sources else {}
    except (ValueError, KeyError, TypeError):
        return {}


@functools.cache
def files_as_they_are(*folders: Path) -> str:
    """A digest of the names, sizes and times of all files of some folders, and of this Python."""
    total = hashlib.sha256(sys.version.encode())
    for folder in folders:
        for place, within, names in os.walk(folder):
            within[:] = sorted(set(within) - {"__pycache__"})
            for name in sorted(names):
                path = Path(place, name)
                if path.suffix not in BUILT:
                    facts = path.stat()
                    words = f"{path.relative_to(folder)} {facts.st_size} {facts.st_mtime_ns}"
                    total.update(words.encode("utf-8", "surrogateescape") + b"\0")
    return total.hexdigest()
