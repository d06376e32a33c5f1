"""Folders of the repository that an installed package carries with it.

A wheel holds `workflow`, `config`, `profiles`, `envs` and `csrc` in `milan_core/shipped`; in a
clone they lie beside the package. Only the standard library is used where no YAML is read.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1]
IN_WHEEL = PACKAGE / "shipped"


def shipped_root() -> Path:
    """The folder that holds `workflow`, `config`, `profiles`, `envs` and `csrc`."""
    return IN_WHEEL if IN_WHEEL.is_dir() else PACKAGE.parent


def snakefile() -> str:
    """The workflow's Snakefile, for `include:` in a Snakefile of your own."""
    return str(shipped_root() / "workflow" / "Snakefile")


@functools.cache
def shipped_yaml(path: Path) -> Any:
    """The content of a YAML file of this package, read once; callers do not change it."""
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8"))
