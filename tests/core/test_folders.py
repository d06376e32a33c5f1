"""Folders of results that are there already: whose files they hold, and what they are."""

import errno
import os
from pathlib import Path

import pytest

from milan_core.core.errors import UserError
from milan_core.core.folders import new_folder
from milan_core.core.lock import claimed, folder_lock
from milan_core.core.recording import recorded_command
from milan_core.core.records import NAME


def write(out, *, chunks=("index.html",)):
    """Write a table and a page as commands do."""
    with new_folder(out) as folder, recorded_command("toy", folder / NAME):
        (folder / "table.csv").write_text("new")
        (folder / "atlas").mkdir()
        for name in chunks:
            (folder / "atlas" / name).write_text("new")


def files(folder):
    """The visible files of a folder and what they hold."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != NAME
    }


def names(folder):
    """The names in a folder, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def no_work(out):
    """`new_folder` that must refuse before the block."""
    with new_folder(out):
        pytest.fail("the work was begun")


def test_what_is_no_folder_is_refused_before_the_work(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for name in ("file", "link"):
        with pytest.raises(UserError, match=f"{name} is a file or a broken link"):
            no_work(tmp_path / name)
    with pytest.raises(UserError, match="the root of all folders"):
        no_work(Path("/"))
    assert names(tmp_path) == ["file", "link"]
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("given", [".", "../here", "deep/.."])
def test_the_current_folder(tmp_path, monkeypatch, given):
    (tmp_path / "here/deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    write(Path(given))
    assert files(tmp_path) == {"here/table.csv": "new", "here/atlas/index.html": "new"}


def test_files_that_no_command_has_written_stay(tmp_path):
    out = tmp_path / "photos"
    (out / "atlas/deep").mkdir(parents=True)
    (out / "atlas/deep/globe.jpg").write_text("mine")
    (out / "cat.jpg").write_text("mine")
    for _ in range(2):
        write(out, chunks=("index.html",))
        assert files(out) == {
            **{"atlas/deep/globe.jpg": "mine", "cat.jpg": "mine"},
            **{"atlas/index.html": "new", "table.csv": "new"},
        }


def test_files_of_the_run_before_go(tmp_path):
    out = tmp_path / "out"
    write(out, chunks=("index.html", "1.bin"))
    write(out)
    assert files(out) == {"atlas/index.html": "new", "table.csv": "new"}
    write(out, chunks=("index.html", "1.bin"))
    (out / "atlas/notes.txt").write_text("mine")
    write(out)
    assert files(out) == {
        **{"atlas/index.html": "new", "atlas/notes.txt": "mine", "table.csv": "new"}
    }


def test_links_and_files_in_the_place_of_folders(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/mine").write_text("mine")
    for name in ("linked", "filed"):
        (tmp_path / name).mkdir()
    (tmp_path / "linked/atlas").symlink_to(tmp_path / "disk")
    (tmp_path / "filed/atlas").write_text("x")
    for name in ("linked", "filed"):
        write(tmp_path / name)
        assert files(tmp_path / name) == {"atlas/index.html": "new", "table.csv": "new"}
    assert files(tmp_path / "disk") == {"mine": "mine"}


def test_a_folder_on_a_disk_of_its_own(tmp_path, monkeypatch):
    """A link to another disk, or a volume of a container: no file is renamed from beside it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "out").symlink_to(disk)
    replace = Path.replace

    def on_one_disk(self, target):
        if disk in self.resolve().parents or self.parent.resolve() == Path(target).parent.resolve():
            return replace(self, target)
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(self))

    monkeypatch.setattr(Path, "replace", on_one_disk)
    write(tmp_path / "out")
    assert files(disk) == {"atlas/index.html": "new", "table.csv": "new"}
    assert names(tmp_path) == ["disk", "out"]
    assert names(disk) == ["atlas", NAME, "table.csv"]


def test_a_folder_beside_which_nothing_may_lie(tmp_path, monkeypatch):
    out = tmp_path / "volume"
    out.mkdir()
    access = os.access
    closed = lambda path, mode: Path(path) != tmp_path and access(path, mode)  # noqa: E731
    monkeypatch.setattr(os, "access", closed)
    with folder_lock(out):
        assert names(tmp_path) == ["volume"]
        with pytest.raises(UserError, match="another run is writing"), folder_lock(out):
            pass
    assert not names(out)


def test_notes_of_owners_are_open_to_a_group(tmp_path):
    """A job that another user of a shared folder started may be started again by one's own."""
    before = os.umask(0o002)
    try:
        with claimed(tmp_path / "result"):
            assert (tmp_path / ".result.owner").stat().st_mode & 0o777 == 0o664
    finally:
        os.umask(before)
