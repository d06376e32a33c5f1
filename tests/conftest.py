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
