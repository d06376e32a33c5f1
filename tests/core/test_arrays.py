"""Headers of arrays that lie, none of which may end the process or take memory."""

import numpy as np
import pytest

from milan_core.core.arrays import read_npy
from milan_core.core.errors import UserError


def header(path, text, version=b"\x01\x00"):
    body = text.encode() + b" " * (53 - len(text) % 53) + b"\n"
    path.write_bytes(b"\x93NUMPY" + version + len(body).to_bytes(2, "little") + body + b"\0" * 64)
    return path


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize(
    ("dtype", "shape", "words"),
    [
        ("|V0", "(3, 4)", "expected numbers"),  # NumPy divides by its zero bytes
        ("|O", "(3,)", "expected numbers"),
        ("<f8", f"({2**40}, 1024)", "cut short"),
        ("<f8", f"({2**70},)", "cut short|too large"),
        ("<f8", "(-1,)", "shape"),
        ("<f8", "(9,)", "cut short"),
        ("x", "(1,)", "damaged"),
    ],
)
def test_headers_that_lie_are_sentences(tmp_path, dtype, shape, words, mmap):
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    path = header(tmp_path / "x.npy", text)
    with pytest.raises(UserError, match=words):
        read_npy(path, mmap=mmap)


@pytest.mark.parametrize("text", ["{", "(" * 100, "__import__('os')", "{'descr': '<f8'}", ""])
def test_texts_that_are_no_header(tmp_path, text):
    with pytest.raises(UserError, match="not a readable"):
        read_npy(header(tmp_path / "x.npy", text))
    with pytest.raises(UserError, match="version"):
        read_npy(header(tmp_path / "x.npy", text, b"\x09\x00"))


def test_whole_arrays_are_read(tmp_path):
    for array in (np.arange(6.0).reshape(2, 3), np.zeros((0, 3), np.uint8), np.array(3)):
        np.save(tmp_path / "x.npy", array)
        assert (read_npy(tmp_path / "x.npy") == array).all()


def test_an_array_that_was_saved_behind_another_is_noticed(tmp_path):
    """NumPy reads the first, and leaves out the rest in silence."""
    with (tmp_path / "x.npy").open("wb") as file:
        np.save(file, np.arange(3))
        np.save(file, np.arange(4))
    with pytest.raises(UserError, match=r"160 bytes follow its int64 \(3,\), such as a second"):
        read_npy(tmp_path / "x.npy")
