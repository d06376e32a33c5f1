"""Folders of the repository that an installed package carries with it.

A wheel holds `workflow`, `config`, `profiles`, `envs` and `csrc` in `milan_core/shipped`; in a
clone they lie beside the package. Only the standard library is used.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
IN_WHEEL = PACKAGE / "shipped"


def shipped_root() -> Path:
    """The folder that holds `workflow`, `config`, `profiles`, `envs` and `csrc`."""
    return IN_WHEEL if IN_WHEEL.is_dir() else PACKAGE.parent


def snakefile() -> str:
    """The workflow's Snakefile, for `include:` in a Snakefile of your own."""
    return str(shipped_root() / "workflow" / "Snakefile")
