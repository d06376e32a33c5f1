"""Right checksums over wrong contents: a record that lists a file as it is now."""

from __future__ import annotations

import json
from pathlib import Path

from milan_core.core.files import canonical_json, file_sha256, text_hash, write_json
from milan_core.core.records import find_record


def record_path_of(good: Path, path: Path) -> Path | None:
    """The record that lists a file of the run in `good`, relative to it as `path` is."""
    written = find_record(good / path)
    return written.path.relative_to(good.resolve()) if written else None


def seal(good: Path, folder: Path, path: Path) -> None:
    """Let the record of `folder / path` list its present bytes; `good` holds the whole run."""
    found = record_path_of(good, path)
    if found is None:
        return
    replace_record(folder / found, folder / path)


def replace_record(place: Path, path: Path) -> None:
    """Write the record at `place` again with the digest of one of its files."""
    record = json.loads(place.read_text())
    record.pop("sha256")
    for name, digest in record["outputs"].items():
        item = place.parent / name
        if item.resolve() == path.resolve():
            digest |= {"sha256": file_sha256(item), "bytes": item.stat().st_size}
    place.unlink()
    write_json(place, {**record, "sha256": text_hash(canonical_json(record), 64)})
