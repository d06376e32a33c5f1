"""Digests of large files as trees of their pieces, in records and in what is compared with them."""

import hashlib
import threading

import numpy as np
import pytest

from milan_core.core import parts, records, trees
from milan_core.core.errors import UserError
from milan_core.core.files import file_sha256, read_json
from milan_core.core.recording import write_record
from milan_core.core.records import check_inputs, check_recorded, verify
from milan_core.core.stale import _Digests
from milan_core.core.trees import file_digest

CONTENT = np.random.default_rng(0).bytes(1000)


@pytest.fixture
def small(monkeypatch):
    """Files of 300 bytes count as large, in pieces of 64 that are read 10 at a time."""
    monkeypatch.setattr(trees, "LARGE", 300)
    monkeypatch.setattr(trees, "PIECE", 64)
    monkeypatch.setattr(trees, "_READ", 10)


@pytest.mark.parametrize("size", [300, 320, 999, 1000])
@pytest.mark.parametrize("threads", [1, 4])
def test_a_tree_of_pieces(small, tmp_path, size, threads):
    path = tmp_path / "a"
    path.write_bytes(CONTENT[:size])
    pieces = [CONTENT[start : min(start + 64, size)] for start in range(0, size, 64)]
    leaves = b"".join(hashlib.sha256(piece).digest() for piece in pieces)
    assert file_digest(path, threads) == "tree:" + hashlib.sha256(leaves).hexdigest()
    assert file_digest(path, threads, like="0" * 64) == file_sha256(path)


def test_small_files_have_their_own(small, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(CONTENT[:299])
    assert file_digest(path) == file_sha256(path)
    assert file_digest(path, like="tree:").startswith("tree:")


def test_what_is_small_stays_as_it_was():
    assert (trees.LARGE, trees.PIECE) == (2**30, 2**26)


def test_pieces_are_hashed_by_the_threads_of_the_job(small, tmp_path, monkeypatch):
    path, together = tmp_path / "a", threading.Barrier(3, timeout=10)
    path.write_bytes(CONTENT[: 3 * 64 + 120])
    piece, left = trees._piece, [1, 1, 1]

    def meeting(path, start):
        if left:
            left.pop()
            together.wait()
        return piece(path, start)

    monkeypatch.setattr(trees, "_piece", meeting)
    file_digest(path, 3)
    assert not left


@pytest.mark.parametrize("old", [False, True])
def test_records_notice_damage(small, tmp_path, monkeypatch, old):
    """Records from before trees compare as they were written."""
    large, other = tmp_path / "large.bin", tmp_path / "small.bin"
    large.write_bytes(CONTENT)
    other.write_bytes(CONTENT[:20])
    with monkeypatch.context() as before:
        if old:
            before.setattr(trees, "LARGE", 10**9)
        write_record(tmp_path / records.NAME, "toy", {}, [large, other], {}, "c", {}, threads=2)
    written = read_json(tmp_path / records.NAME)["outputs"]["large.bin"]["sha256"]
    assert written.startswith("tree:") != old
    seen = check_inputs([large, tmp_path], threads=3)
    assert seen[str(large)] == {"sha256": written, "bytes": 1000}
    check_recorded(large)
    assert verify(tmp_path) == (2, [])
    assert ("large.bin", written) in parts._digests(tmp_path)
    assert not _Digests().differs(large, seen[str(large)])
    large.write_bytes(CONTENT[:500] + b"x" + CONTENT[501:])
    for check in (lambda: check_inputs([large]), lambda: check_recorded(large)):
        with pytest.raises(UserError, match=r"large\.bin is damaged or was edited"):
            check()
    assert verify(tmp_path)[1] == [f"{large} differs from what toy wrote"]
