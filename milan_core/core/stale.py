"""Find results older than their inputs: records that name another content of a file.

A single stage may be run alone, such as `snakemake results/x/descriptions.csv`, or an input edited.
Whatever reads the file and was not made anew, a page above all, then shows what is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from milan_core.core.errors import UserError
from milan_core.core.records import (
    NAME,
    Records,
    digests,
    folder_summary,
    read_record,
    records_below,
    run_folder,
)
from milan_core.core.trees import file_digest


def stale(folder: Path) -> list[str]:
    """One sentence for every record below `folder` with an input that has changed since.

    Inputs are looked for in the folder of the record's run. A file that a step wrote counts by the
    digest in that step's record, so nothing large is read twice; other files are read. Inputs that
    are gone, and records among the inputs, do not count.
    """
    now, problems = _Digests(), []
    for path in records_below(folder):
        try:
            record = read_record(path)
        except UserError:  # `verify` says so
            continue
        inputs, top = record["inputs"], run_folder(path, record["inputs"])
        changed = [name for name, then in inputs.items() if now.differs(top / name, then)]
        if changed:
            more = f" and {len(changed) - 1} more of its inputs" if len(changed) > 1 else ""
            problems.append(
                f"{_made(path, record)} is older than {changed[0]}{more}, which changed after "
                f"{record['step']} had read it; run {record['step']} again"
            )
    return problems


def _made(path: Path, record: Mapping[str, Any]) -> str:
    """The result of a record: its folder, or its only output."""
    outputs = list(record["outputs"])
    if "index.html" in outputs:
        return f"the page {path.parent / 'index.html'}"
    return str(path.parent / outputs[0] if len(outputs) == 1 else path.parent)


class _Digests:
    """Digests of inputs as they are now, each taken once."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}
        self._records = Records()

    def differs(self, path: Path, then: Mapping[str, Any]) -> bool:
        """Whether an input is there with another content than a record says."""
        if path.name.endswith(NAME) or not path.exists():
            return False
        if path not in self._known:
            self._known[path] = self._digest(path)
        return self._known[path] != then.get("sha256")

    def _digest(self, path: Path) -> str:
        if path.is_file():
            written = self._records.of(path)
            return str(written.digest["sha256"]) if written else file_digest(path)
        if (path / NAME).is_file():
            outputs = read_record(path / NAME)["outputs"]
            inside = sorted((name for name in outputs if not name.startswith("..")), key=Path)
            seen = {path / name: outputs[name] for name in inside}
        else:
            seen = digests(path)
        return str(folder_summary(path, seen)["sha256"])
