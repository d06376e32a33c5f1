"""Shared fixtures: the repository's root, and quiet single-threaded torch."""

import os
from pathlib import Path

import pytest
from model_server import ModelServer
from paths import ROOT
from website import Site

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """An empty folder to fetch into, and nothing but what is on loopback."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MILAN_DOWNLOADS", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def website(alone):
    """A web server on loopback, without files."""
    server = Site()
    yield server
    server.close()


@pytest.fixture
def served_model(monkeypatch):
    """A server on loopback that answers as a language model; `rule` says what."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ModelServer()
    yield server
    server.close()


# Costly fixtures of a session: all files that use one run in one process, the costliest first.
SHARED = ("quick_run", "host_kernels", "atlas", "browser")
LONG = ("tests/workflow/", "tests/faults/test_rounds.py")  # then these, before short ones


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep files whole when tests run in several processes (`pytest -n 2 --dist loadgroup`)."""
    group: dict[Path, str] = {}
    for item in items:
        used = [name for name in SHARED if name in getattr(item, "fixturenames", ())]
        if used or item.path not in group:
            group[item.path] = used[0] if used else str(item.path)
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group[item.path]))
    items.sort(key=lambda item: _turn(item, group[item.path]))


def _turn(item: pytest.Item, group: str) -> tuple[int, str]:
    """Groups by how long they take, as far as that is known; the order in a file stays."""
    place = item.path.relative_to(ROOT).as_posix()
    if group in SHARED:
        return SHARED.index(group), group
    return len(SHARED) + (not place.startswith(LONG)), group
