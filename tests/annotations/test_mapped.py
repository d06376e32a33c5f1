"""Large files are written in pieces and read by rows within a memory budget."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from milan_core.annotations.mapped import MappedArray, Residency, npy_pieces, read_header
from milan_core.core.files import write_csv


def test_pieces_and_pages(tmp_path):
    path, rows = tmp_path / "a.npy", np.arange(60, dtype=np.uint8).reshape(5, 3, 4)
    with npy_pieces(path, rows.shape, np.uint8) as put:
        put(3, rows[3:5])
        put((1, 2), rows[1, 2])
        put(0, rows[0])
    expected = rows.copy()
    expected[1, :2] = 0
    expected[2] = 0
    assert np.array_equal(np.load(path), expected)
    assert read_header(path)[:2] == (np.dtype(np.uint8), (5, 3, 4))
    pages = Residency(budget=30)
    mapped = MappedArray(path, pages)
    views = [mapped.row(index) for index in range(5)]  # pages went back twice meanwhile
    assert np.array_equal(np.stack(views), expected)

    def fail():
        with npy_pieces(tmp_path / "b.npy", (2,), np.uint8):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["a.npy"]


# biggan/places365: the largest published set, 4992 units (spec 2.6, 6.4)
LARGEST = {f"layer{i}": units for i, units in enumerate([2048, 1024, 1024, 512, 256, 128])}
WALK = """
    import re, sys
    from pathlib import Path
    from milan_core.annotations.released import open_set
    found, total = open_set(sys.argv[1]), 0
    for unit in found:
        total += int(unit.images[:, :, ::16].sum()) + int(unit.packed.sum()) + len(unit.annotations)
    found.pack()
    total += sum(int(unit.packed.sum()) for unit in found)
    peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
    print(len(found), total, int(peak[1]) // 1024)
"""


def sparse_set(folder):
    """A set of the largest published shape, of zeros that take no disk space."""
    rows = []
    for layer, units in LARGEST.items():
        (folder / layer).mkdir(parents=True)
        with npy_pieces(folder / layer / "masks.npy", (units, 15, 1, 224, 224), np.uint8) as _:
            pass
        with npy_pieces(folder / layer / "images.npy", (units, 15, 3, 224, 224), np.uint8) as _:
            pass
        (folder / layer / "ids.csv").write_text((",".join(["0"] * 15) + "\n") * units)
        rows += [(layer, unit, f"text {n}") for unit in range(units) for n in range(3)]
    write_csv(folder / "annotations.csv", ["layer", "unit", "summary"], rows)


def test_the_largest_set_takes_less_than_2_gb(tmp_path):
    """Opened, every image and mask looked at, and packed: 15 GB of files."""
    sparse_set(tmp_path / "big")
    code = [sys.executable, "-c", textwrap.dedent(WALK), str(tmp_path / "big")]
    result = subprocess.run(code, capture_output=True, text=True, check=True)
    units, total, peak = map(int, result.stdout.split())
    assert units == 4992
    assert total == 3 * 4992
    assert peak < 1024, f"{peak} MB resident"
