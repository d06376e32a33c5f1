"""A build that is killed goes on where it was, with the bytes of one that was left alone."""

import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from datasets_made import build_dataset
from paths import TESTS
from PIL import Image

from milan_core.core.errors import UserError
from milan_core.images import pictures, writing
from milan_core.images.resume import Filling, filled_array

COUNT, EVERY = 23, 4
SPEC = {"kind": "folder", "size": 8, "resize": 8, "on_error": "skip"}


def save(path, number):
    pixels = np.random.default_rng(number).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Pictures of two classes, two of which cannot be read; state is saved every few pictures."""
    monkeypatch.setattr(pictures, "SAVE_EVERY", EVERY)
    for number in range(COUNT):
        path = tmp_path / f"in/{'ab'[number % 2]}/{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        save(path, number)
    for name in ("a/02.png", "b/15.png"):
        (tmp_path / "in" / name).write_bytes(b"no image")
    return tmp_path / "in"


def build(folder, out, **options):
    spec = {**SPEC, "options": {"path": str(folder), **options}}
    return build_dataset("set", spec, {}, out, 0)


def files(out):
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


@pytest.fixture
def reads(monkeypatch):
    """Pictures that were read; with `stop_at` set, the run is killed before that many."""
    found, real = [], pictures.read_picture

    def read(picture, spec):
        if len(found) == stop_at["count"]:
            raise KeyboardInterrupt
        found.append(picture.name)
        return real(picture, spec)

    stop_at = {"count": -1}
    monkeypatch.setattr(pictures, "read_picture", read)
    return found, stop_at


@pytest.mark.parametrize("stop", [0, 3, 4, 9, 22])
def test_what_is_safe_is_not_read_again(folder, tmp_path, reads, stop):
    found, stop_at = reads
    build(folder, tmp_path / "whole")
    everything = list(found)
    found.clear()
    stop_at["count"] = stop
    with pytest.raises(KeyboardInterrupt):
        build(folder, tmp_path / "out")
    shutil.rmtree(tmp_path / "out")  # as Snakemake does after a failure
    found.clear()
    stop_at["count"] = -1
    dataset = build(folder, tmp_path / "out")
    assert found == everything[stop // EVERY * EVERY :]
    assert files(tmp_path / "out") == files(tmp_path / "whole")
    assert dataset.manifest["skipped"] == ["a/02.png", "b/15.png"]
    assert len(dataset) == COUNT - 2


def test_several_kills_and_rows_that_no_record_counts(folder, tmp_path, reads):
    found, stop_at = reads
    build(folder, tmp_path / "whole")
    for stop in (6, 6, 6):
        found.clear()
        stop_at["count"] = stop
        with pytest.raises(KeyboardInterrupt):
            build(folder, tmp_path / "out")
    partial = tmp_path / ".out.images.npy.partial"
    array = np.lib.format.open_memmap(partial, mode="r+")
    array[11:] = 77  # after 12 pictures, of which one has no row
    array.flush()
    found.clear()
    stop_at["count"] = -1
    build(folder, tmp_path / "out")
    assert len(found) == COUNT - 12
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def changed_options(folder):
    return {"resize": 9}


def changed_picture(folder):
    save(folder / "a/00.png", 100)
    return {}


def renamed_picture(folder):
    (folder / "a/00.png").rename(folder / "a/01.png")
    return {}


def cut_record(folder):
    (folder.parent / ".out.images.npy.partial.json").write_text('{"format"')
    return {}


def cut_array(folder):
    os.truncate(folder.parent / ".out.images.npy.partial", 300)
    return {}


@pytest.mark.parametrize(
    "change", [changed_options, changed_picture, renamed_picture, cut_record, cut_array]
)
def test_other_requests_start_afresh(folder, tmp_path, reads, change):
    found, stop_at = reads
    stop_at["count"] = 10
    with pytest.raises(KeyboardInterrupt):
        build(folder, tmp_path / "out")
    options = change(folder)
    found.clear()
    stop_at["count"] = -1
    build(folder, tmp_path / "out", **options)
    assert len(found) == COUNT
    build(folder, tmp_path / "whole", **options)
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_a_later_picture_that_is_repaired_costs_nothing(folder, tmp_path, reads):
    found, _ = reads
    save(folder / "a/02.png", 2)
    with pytest.raises(UserError, match=r"15\.png"):
        build(folder, tmp_path / "out", on_error="stop")
    save(folder / "b/15.png", 15)
    found.clear()
    build(folder, tmp_path / "out", on_error="stop")
    assert 0 < len(found) < EVERY + 5, "all but the pictures since the last save"


KILLED = """
import json, os, signal, sys
from milan_core.images import pictures, store
from datasets_made import build_dataset
pictures.SAVE_EVERY = 4
real, count = pictures.read_picture, 0
def read(picture, spec):
    global count
    count += 1
    if count == 15:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(picture, spec)
pictures.read_picture = read
build_dataset("set", json.loads(sys.argv[1]), {}, sys.argv[2], 0)
"""


def test_a_process_that_is_killed_leaves_what_was_saved(folder, tmp_path, reads):
    spec = json.dumps({**SPEC, "options": {"path": str(folder)}})
    command = [sys.executable, "-c", KILLED, spec, str(tmp_path / "out")]
    where = {**os.environ, "PYTHONPATH": str(TESTS)}
    assert subprocess.run(command, env=where, check=False).returncode == -signal.SIGKILL
    found, _ = reads
    build(folder, tmp_path / "out")
    assert len(found) == COUNT - 12
    found.clear()
    build(folder, tmp_path / "whole")
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_two_runs_do_not_fill_one_array(tmp_path):
    path = tmp_path / "x.npy"
    with (
        filled_array(path, (2, 1), "", str) as filling,
        pytest.raises(UserError, match="another run is building"),
        filled_array(path, (2, 1), "", str),
    ):
        pass
    filling.take(np.zeros(1, np.uint8))


def test_damaged_rows_are_read_again(folder, tmp_path, reads):
    found, stop_at = reads
    build(folder, tmp_path / "whole")
    stop_at["count"] = len(found) + 9
    with pytest.raises(KeyboardInterrupt):
        build(folder, tmp_path / "out")
    partial = tmp_path / ".out.images.npy.partial"
    data = bytearray(partial.read_bytes())
    data[200] ^= 1  # of the first picture
    partial.write_bytes(data)
    stop_at["count"] = -1
    build(folder, tmp_path / "out")
    assert files(tmp_path / "out") == files(tmp_path / "whole")


@pytest.mark.parametrize("bad", [True, False])
def test_pixels_are_hashed_while_they_are_written(folder, tmp_path, monkeypatch, bad):
    """A large data set is not read again for its digest, in one run or after a kill."""
    if not bad:
        for name in ("a/02.png", "b/15.png"):
            save(folder / name, 99)
    hashed, real = [], writing.file_sha256
    monkeypatch.setattr(
        writing, "file_sha256", lambda path: (hashed.append(path.name), real(path))[1]
    )
    real_take, left = Filling.take, [9]

    def killed(self, row):
        if not left:
            raise KeyboardInterrupt
        left.pop()
        real_take(self, row)

    left *= 9
    monkeypatch.setattr(Filling, "take", killed)
    with pytest.raises(KeyboardInterrupt):
        build(folder, tmp_path / "out")
    monkeypatch.setattr(Filling, "take", real_take)
    dataset = build(folder, tmp_path / "out")
    assert hashed.count("images.npy") == int(bad)  # written anew without the rows of the bad ones
    assert dataset.manifest["files"]["images.npy"] == real(tmp_path / "out/images.npy")
    dataset.verify()
