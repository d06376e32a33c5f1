"""Locks and temporary names where several machines and processes write at once."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from milan_core.core.errors import UserError
from milan_core.core.files import write_text
from milan_core.core.lock import folder_lock
from milan_core.core.machine import FIRST, machine_name, this_machine
from milan_core.core.temporaries import temporary_path


def test_a_lock_that_went_while_it_was_waited_for_is_taken_anew(tmp_path, monkeypatch):
    """One run has opened the lock's file; that of another goes, and a third comes."""
    out, flock, held = tmp_path / "out", fcntl.flock, []
    first = folder_lock(out)
    first.__enter__()

    def late(handle, how):
        if not held:
            held.append(folder_lock(out))
            first.__exit__(None, None, None)
            held[0].__enter__()
        return flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(UserError, match="another run is writing"), folder_lock(out):
        pass
    held[0].__exit__(None, None, None)
    with folder_lock(out):
        assert (tmp_path / ".out.lock").exists()
    assert not (tmp_path / ".out.lock").exists()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_file_systems_without_locks_are_written_to(tmp_path, monkeypatch, number):
    def none(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", none)
    with folder_lock(tmp_path / "out"):
        write_text(tmp_path / "out", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_machines_whose_names_begin_alike_have_other_temporaries():
    node = "cluster-of-the-institute-partition-gpu-node-000"
    names = {machine_name(f"{node}{number}") for number in range(10)}
    names |= {machine_name("node"), machine_name("node", "pid:[4026532999]")}
    assert len(names) == 12
    assert all(len(name) <= 32 and name.replace("-", "").isalnum() for name in names)
    assert machine_name("a.b", FIRST) == "a-b"
    assert machine_name("") == "host"
    assert this_machine() in temporary_path(Path("x")).name


@pytest.mark.parametrize("letter", ["n", "犬", "\udcff"])
def test_long_names_that_can_be_written_can_be_written_through_a_temporary(tmp_path, letter):
    name = letter * (240 // len(os.fsencode(letter)))
    write_text(tmp_path / name, "x")
    assert (tmp_path / name).read_text() == "x"
    assert [path.name for path in tmp_path.iterdir()] == [name]
