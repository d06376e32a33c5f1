"""Gray and colored pictures of 16 bits: scaled by a stated rule, or refused."""

import struct
import zlib

import numpy as np
import pytest

from images.test_passed_over import build, deep
from milan_core.core.errors import UserError
from milan_core.images.files import eight_bits

RAMP = np.tile(np.linspace(0, 1, 64), (64, 1))


@pytest.mark.parametrize(
    ("values", "limits", "ends"),
    [
        (RAMP.astype(np.float32), None, (0, 255)),
        ((RAMP * 255).astype(np.float32), [0, 255], (0, 255)),
        ((RAMP * 2 - 1).astype(np.float32), [-1, 1], (0, 255)),
        ((RAMP * 65535).astype(np.uint16), None, (0, 255)),
        ((RAMP * 255).astype(np.uint16), None, (0, 255)),
        ((RAMP * 4095).astype(np.uint16), [0, 4095], (0, 255)),
        ((RAMP * 4095).astype(np.uint16), [0, 65535], (0, 15)),
        ((RAMP * 65535).astype(np.int32), None, (0, 255)),
        ((RAMP * (2**31 - 1)).astype(np.int32), [0, 2**31 - 1], (0, 255)),
    ],
)
def test_deep_gray_is_scaled_by_a_stated_rule(values, limits, ends):
    pixels = np.asarray(eight_bits(deep(values), limits))
    assert (pixels.min(), pixels.max()) == ends
    assert (np.diff(pixels[0].astype(int)) >= 0).all()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ((RAMP * 255).astype(np.float32), r"floats from 0 to 255, expected 0 to 1: .*`range:"),
        ((RAMP - 1).astype(np.float32), "floats from -1 to 0"),
        ((RAMP * 70000).astype(np.int32), "integers from 0 to 70000, expected 0 to 65535"),
        (np.float32([[0, np.nan]]), "NaN"),
    ],
)
def test_other_deep_gray_is_refused(values, sentence, tmp_path):
    deep(values).save(tmp_path / "x.tif")
    with pytest.raises(UserError, match=sentence):
        build(tmp_path, tmp_path / "out")


def test_sixteen_bits_that_hold_twelve(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    deep((RAMP * 4095).astype(np.uint16)).save(folder / "1.png")
    with pytest.raises(UserError, match=r"up to 4095 only, as 12-bit .* `range: \[0, 4095\]`"):
        build(folder, tmp_path / "out")
    assert build(folder, tmp_path / "out", range=[0, 4095]).images.max() > 230
    assert build(folder, tmp_path / "out", range=[0, 65535]).images.max() < 17
    deep((RAMP * 65535).astype(np.uint16)).save(folder / "2.png")  # so the first is dark indeed
    found = build(folder, tmp_path / "out")
    assert found.images[0].max() < 17
    assert found.images[1].max() > 200
    with pytest.raises(UserError, match="low below high"):
        build(folder, tmp_path / "out", range=[5, 5])


def colored(values, kind):
    """A PNG of 16 bits a channel, uint16 (h, w, channels), which Pillow does not write."""

    def chunk(name, data):
        sum_of = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + sum_of

    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, kind, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.mark.parametrize(
    ("channels", "kind"), [(3, 2), (2, 4), (4, 6)], ids=["rgb", "gray-alpha", "rgba"]
)
def test_colored_sixteen_bits_that_hold_twelve(channels, kind, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    values = np.random.default_rng(0).integers(0, 4096, (8, 8, channels))
    if channels in (2, 4):
        values[..., -1] = 65535  # opaque
    (folder / "1.png").write_bytes(colored(values, kind))
    with pytest.raises(UserError, match=r"up to 4095 only, as 12-bit .*colored ones: convert"):
        build(folder, tmp_path / "out")
    assert build(folder, tmp_path / "out", range=[0, 65535]).images.max() < 17
    values[..., : channels - (channels in (2, 4))] *= 16
    (folder / "2.png").write_bytes(colored(values, kind))
    assert build(folder, tmp_path / "out").images[1].max() > 200
