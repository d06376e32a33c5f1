"""Files: a full, closed or read-only disk, what killed processes leave, and strict tables."""

import argparse
import csv
import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from milan_core.cli.common import json_value
from milan_core.core import arrays, files, temporaries
from milan_core.core.errors import UserError
from milan_core.core.files import read_json
from milan_core.endpoint.answer import MalformedReply, read_answer
from milan_core.endpoint.question import Question


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EFBIG, "limit on file sizes"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "no permission"),
        (errno.ENAMETOOLONG, "too long"),
    ],
)
def test_refusals_of_the_system_are_one_sentence(tmp_path, number, words):
    def fail():
        with files.atomic_path(tmp_path / "a"):
            raise OSError(number, os.strerror(number))

    with pytest.raises(UserError, match=f"cannot write .*{words}"):
        fail()
    assert not list(tmp_path.iterdir())


def test_other_errors_stay_what_they_are(tmp_path):
    def fail():
        with files.atomic_path(tmp_path / "a"):
            (tmp_path / "nowhere" / "input").read_text()

    with pytest.raises(FileNotFoundError):
        fail()
    with pytest.raises(UserError, match="it is a folder"):
        files.write_text(tmp_path, "x")


def test_a_size_limit_is_a_sentence_and_leaves_nothing(tmp_path):
    """The writer runs under `ulimit -f`, as on a system with limits or a full disk."""
    code = (
        "import resource, sys, pathlib; from milan_core.core import arrays;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        "arrays.write_npy(pathlib.Path(sys.argv[1]), __import__('numpy').zeros(10**5))"
    )
    path = tmp_path / "x.npy"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], check=False, capture_output=True, text=True
    )
    assert "UserError: cannot write" in done.stderr
    assert "limit on file sizes" in done.stderr
    assert not list(tmp_path.iterdir())


def test_mapped_files_have_their_blocks(tmp_path):
    array = arrays.map_new(tmp_path / "x.npy", (1000, 1000), np.uint8)
    assert not array.any()
    assert (tmp_path / "x.npy").stat().st_blocks * 512 >= array.nbytes


def test_a_map_that_finds_no_room_is_an_error_and_no_signal(tmp_path):
    code = (
        "import resource, sys, pathlib, numpy; from milan_core.core import arrays, files;"
        "p = pathlib.Path(sys.argv[1]);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))\n"
        "with files.atomic_path(p) as t: arrays.map_new(t, (10**7,), numpy.uint8)[:] = 1"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x")],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "UserError: cannot write" in done.stderr


def test_temporaries_of_dead_processes_go_and_others_stay(tmp_path):
    path = tmp_path / "a.csv"
    dead = tmp_path / f".a.csv.{temporaries.HOST}.999999999.0123abcd.tmp"
    alive = tmp_path / f".a.csv.{temporaries.HOST}.{os.getpid()}.0123abcd.tmp"
    elsewhere = tmp_path / ".a.csv.another-host.999999999.0123abcd.tmp"
    not_ours = tmp_path / f".a.csv.{temporaries.HOST}.999999999.tmp"
    for item in (dead, alive, elsewhere, not_ours):
        item.write_text("half")
    files.write_text(path, "whole")
    assert sorted(tmp_path.iterdir()) == sorted([path, alive, elsewhere, not_ours])


def test_temporaries_of_other_users_stay(tmp_path, monkeypatch):
    """Where /proc is mounted with hidepid=2, all their processes look dead."""
    left = tmp_path / f".a.csv.{temporaries.HOST}.999999999.0123abcd.tmp"
    left.write_text("half")
    user = os.getuid()
    monkeypatch.setattr(temporaries.os, "getuid", lambda: user + 1)
    files.write_text(tmp_path / "a.csv", "whole")
    assert left.exists()
    monkeypatch.undo()
    files.write_text(tmp_path / "a.csv", "whole")
    assert not left.exists()


def test_a_folder_of_many_files_is_listed_for_few_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "flush", lambda path: None)
    listed, glob = [], Path.glob
    monkeypatch.setattr(
        Path, "glob", lambda folder, name: listed.append(name) or glob(folder, name)
    )
    for number in range(1000):
        files.write_text(tmp_path / f"unit{number}.webp", "x")
    assert len(listed) == 103, "each of the first 100, then the 128th, 256th and 512th"
    dead = tmp_path / f".unit7.webp.{temporaries.HOST}.999999999.0123abcd.tmp"
    dead.write_text("half")
    for number in range(24):
        files.write_text(tmp_path / f"unit{number}.webp", "x")
    assert not dead.exists()


def test_names_as_long_as_the_system_allows_are_written(tmp_path):
    files.write_text(tmp_path / ("n" * 250), "x")
    with pytest.raises(UserError, match="too long"):
        files.write_text(tmp_path / ("n" * 300), "x")


def table(tmp_path, raw):
    (tmp_path / "t.csv").write_bytes(raw)
    return files.read_csv(tmp_path / "t.csv", ("layer", "unit"))


def test_tables_of_spreadsheets_are_read(tmp_path):
    expected = [{"layer": "a", "unit": "1"}, {"layer": "b, c", "unit": "2"}]
    assert table(tmp_path, b'layer,unit\na,1\n"b, c",2\n') == expected
    assert table(tmp_path, b'\xef\xbb\xbflayer,unit\r\na,1\r\n"b, c",2\r\n\r\n') == expected
    long = "x" * 200_000
    assert table(tmp_path, f"layer,unit\n{long},1\n".encode())[0]["layer"] == long


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("layer,unit\nä,1\n".encode("latin-1"), r"line 2: not UTF-8; save the table"),
        ("layer,unit\na,1\n".encode("utf-16"), r"line 1: not UTF-8"),
        (b"layer,unit\na,1\nb\n", r"line 3: expected 2 fields, got 1"),
        (b"layer,unit\na,1,2\n", r"line 2: expected 2 fields, got 3"),
        (b'layer,unit\n"a,1\n', r"not a CSV table"),
        (b"layer,unit,unit\n", r"'unit' appears twice"),
        (b"layer;unit\na;1\n", r"missing column layer, unit.*separate columns with commas"),
        (b"layer,unit\na\0,1\n", r"line 2: a NUL byte"),
        (b"", r"is empty"),
    ],
)
def test_other_tables_are_refused_with_file_and_line(tmp_path, raw, words):
    with pytest.raises(UserError, match=f"t.csv.*{words}"):
        table(tmp_path, raw)


def test_bytes_are_on_the_disk_before_a_file_gets_its_name(tmp_path, monkeypatch):
    """After a power cut a renamed file is whole, or the old one is there."""
    target, synced = tmp_path / "t.csv", []
    target.write_text("old")
    sync = os.fsync

    def note(handle):
        synced.append((str(Path(f"/proc/self/fd/{handle}").readlink()), target.read_text()))
        sync(handle)

    monkeypatch.setattr(os, "fsync", note)
    files.write_csv(target, ["x"], [[1]])
    ((place, then),) = synced
    assert place.startswith(f"{tmp_path}/.t.csv.")
    assert (then, target.read_text()) == ("old", "x\n1\n")


def test_a_folder_is_no_table(tmp_path):
    with pytest.raises(UserError, match="is a folder; give a CSV file"):
        files.read_csv(tmp_path)


TEXTS = [
    "=1+1",
    "-dogs",
    "+x",
    "@SUM(A1)",
    "\t=1",
    "'=x",
    "''-y",
    "＝1+1",
    "'＠x",
    "\n=1",
    "'quoted'",
    "a=b",
    "",
    "-",
    "1-2",
]


@pytest.mark.parametrize("text", TEXTS)
def test_no_cell_is_a_formula_and_texts_come_back(tmp_path, text):
    files.write_csv(tmp_path / "t.csv", ["text", "value", "number"], [[text, -0.5, "-1e-07"]])
    assert files.read_csv(tmp_path / "t.csv") == [
        {"text": text, "value": "-0.5", "number": "-1e-07"}
    ]
    with (tmp_path / "t.csv").open(newline="") as handle:
        stored, *numbers = list(csv.reader(handle))[1]
    assert not stored.startswith(tuple("=+@-\t\r\n＝＋－＠"))
    assert numbers == ["-0.5", "-1e-07"]


def test_names_that_are_not_utf8_are_written_and_read_back(tmp_path):
    name = "caf\udce9/x.png"
    files.write_json(tmp_path / "x.json", {"path": name})
    assert files.read_json(tmp_path / "x.json") == {"path": name}
    files.write_csv(tmp_path / "x.csv", ["path"], [[name]])
    assert files.read_csv(tmp_path / "x.csv") == [{"path": "caf\\udce9/x.png"}]
    assert files.text_hash(name) != files.text_hash("caf/x.png")


def test_a_key_of_json_that_occurs_twice_is_refused(tmp_path):
    """Python keeps the last of both."""
    (tmp_path / "a.json").write_text('{"b": [{"rate": 1, "c": 2, "rate": 2}]}')
    with pytest.raises(UserError, match=r"settings .*a\.json: the key 'rate' occurs twice"):
        read_json(tmp_path / "a.json", "settings")
    with pytest.raises(argparse.ArgumentTypeError, match="'k' occurs twice"):
        json_value('{"k": 1, "k": 2}')
    with pytest.raises(argparse.ArgumentTypeError, match="'rate' occurs twice"):
        json_value(f"@{tmp_path / 'a.json'}")
    with pytest.raises(MalformedReply, match="no JSON"):
        read_answer('{"choices": [], "choices": []}', Question("?"))
