"""A made-up run, its atlas, and a browser that opens it from disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from milan_core.cli import main
from tests.atlas.browser import Browser, chromium
from tests.atlas.made import MadeRun


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeRun:
    return MadeRun(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="session")
def atlas(made: MadeRun) -> Path:
    """The folder of its atlas, built by the command."""
    out = made.root / "atlas"
    assert main(["atlas", "build", str(made.results), "-o", str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if chromium() is None:
        pytest.skip("no Chromium here (apt install chromium, or name one in MILAN_CHROMIUM)")
    with Browser() as started:
        yield started
