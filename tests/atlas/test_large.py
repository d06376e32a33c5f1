"""An atlas of 20,160 units stays small and quick (the figures stand in docs/atlas.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.atlas.browser import Browser
from tests.atlas.large import build, view


@pytest.mark.slow
def test_twenty_thousand_units(browser: Browser, tmp_path: Path) -> None:
    made = build(tmp_path)
    assert made["atlas_bytes"] <= made["sheets_bytes"] / 5
    assert made["memory_mb"] < 4096  # what the rule `atlas_build` asks for
    shown = view(tmp_path / "atlas", browser)
    assert shown["mistakes"] == shown["outside"] == []
    assert shown["first_bytes"] < 500_000
    assert shown["first_s"] < 1
    assert max(shown["filters_ms"].values()) < 50
    assert shown["nodes"] <= 3000
