"""Write docs/dependencies.md: every locked package with its license, as installed.

python envs/licenses.py
"""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "envs/requirements-lock.txt"
PAGE = ROOT / "docs/dependencies.md"
HEAD = """\
# Dependencies and their licenses

Written by `python envs/licenses.py` from the metadata of the packages in
`envs/requirements-lock.txt`, where each has its version and its hashes. None is part of this
repository or of its wheels; pip brings them. `make env` installs all of them, `pip install
milan-workflow` fewer (docs/deployment.md). Importing the package opens no connection and no part
sends data about its use (`tests/core/test_connections.py`); what is fetched, and when, is in
[downloads.md](downloads.md).

| package | version | license, as its metadata states it |
|---|---|---|
"""


def locked() -> dict[str, str]:
    """Names and versions of the lock; of several versions for several Pythons the first."""
    found = re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", LOCK.read_text(), re.MULTILINE)
    return dict(reversed(found))


def license_of(name: str) -> str:
    """The license of an installed package; says where there is no statement."""
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed on the machine that wrote this page"
    if expression := metadata.get("License-Expression"):
        return expression
    classes = [text for text in metadata.get_all("Classifier", []) if text.startswith("License ::")]
    named = "; ".join(text.split(" :: ")[-1] for text in classes)
    stated = (metadata.get("License") or "").strip().splitlines()
    return named or (stated[0][:60] if stated else "") or in_files(name)


def in_files(name: str) -> str:
    """The first line of a license file, for metadata without a statement."""
    for file in importlib.metadata.files(name) or []:
        if re.match(r"(?i)licen[cs]e|copying", file.name):
            lines = [line.strip() for line in file.read_text().splitlines() if line.strip()]
            return f"{lines[0][:60]} (its file {file.name})" if lines else "no statement"
    return "no statement in its metadata"


def page() -> str:
    """The text of docs/dependencies.md."""
    rows = [f"| {name} | {version} | {license_of(name)} |" for name, version in locked().items()]
    return HEAD + "\n".join(sorted(rows)) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
