"""Shared fixtures: the repository's root, and quiet single-threaded torch."""

import os
from pathlib import Path
from typing import Any

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


# Files that share a costly fixture of the session; the costliest first.
TOGETHER = {
    "quick_run": (
        "tests/workflow/test_own_model.py",
        "tests/workflow/test_run.py",
        "tests/workflow/test_tutorials.py",
        "tests/workflow/test_variants.py",
        "tests/cluster/test_generic.py",
    ),
    "host_kernels": ("tests/ops/",),
    "atlas": ("tests/atlas/",),
}
LONG = (
    *(start for starts in TOGETHER.values() for start in starts),
    "tests/faults/",
    "tests/workflow/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long ones first, so that no process is left alone with one; the rest as it is."""
    items.sort(key=lambda item: _turn(item.nodeid))


def _turn(nodeid: str) -> int:
    return next((turn for turn, start in enumerate(LONG) if nodeid.startswith(start)), len(LONG))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep each file, and files that share a fixture, in one process (`pytest -n 2`)."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):  # its order is that of the collection, by the option below
        def _split_scope(self, nodeid: str) -> str:
            for name, starts in TOGETHER.items():
                if nodeid.startswith(starts):
                    return name
            return nodeid.partition("::")[0]

    config.option.loadscopereorder = False
    return ByFile(config, log)
