"""Pictures and tables of others that libraries read in silence though a part is missing."""

import io
import logging
import tarfile
from types import SimpleNamespace

import numpy as np
import pytest
from datasets_made import build_dataset
from PIL import Image, ImageFile

from milan_core.core.errors import UserError
from milan_core.images.damage import UNWRITTEN, strictly
from milan_core.images.files import UNREADABLE, check_end, open_picture, to_rgb
from milan_core.images.kinds.huggingface import (
    HuggingFace,
    HuggingFaceOptions,
    check_rows,
    missing_parts,
)
from milan_core.images.kinds.webdataset import WebDatasetOptions
from milan_core.images.listing import list_images
from milan_core.images.shards import absent

DRAW = np.random.default_rng(0)
ROWS, COLUMNS = np.mgrid[:160, :200]
BASE = np.stack([COLUMNS, ROWS, ROWS * COLUMNS // 130 % 256], -1)
NOISY = (BASE + DRAW.integers(40, size=(160, 200, 3))).clip(0, 255)
PHOTO = Image.fromarray(NOISY.astype(np.uint8))


def stored(image, form, **options):
    held = io.BytesIO()
    image.save(held, form, **options)
    return held.getvalue()


def pixels(data):
    with open_picture(io.BytesIO(data)) as image:
        return np.asarray(to_rgb(image))


def build(folder, out, **options):
    spec = {"kind": "folder", "options": {"path": str(folder), "size": 16, **options}}
    return build_dataset("mine", spec, {}, out, 0)


def test_a_png_whose_blocks_were_never_written(tmp_path):
    """As a crash or a preallocated download leaves it: of full size, zeros behind some byte."""
    deep = np.asarray(PHOTO)[..., 0].astype(np.uint16) * 200
    data = stored(Image.fromarray(deep), "PNG")
    assert pixels(data).shape == (160, 200, 3)
    for part in (0.3, 0.5, 0.8):
        start = int(len(data) * part)
        with pytest.raises(OSError, match="the checksum of its pixels at byte"):
            pixels(data[:start] + bytes(len(data) - start))
    photo = stored(PHOTO, "PNG")  # of two blocks of pixels
    second = photo.index(b"IDAT", photo.index(b"IDAT") + 4) - 4
    with pytest.raises(OSError, match=f"its chunk at byte {second} is damaged"):
        pixels(photo[:second] + bytes(len(photo) - second))
    moving = stored(PHOTO, "PNG", save_all=True, append_images=[PHOTO.rotate(90)])
    assert (pixels(moving + b"more") == np.asarray(PHOTO)).all()
    with pytest.raises(UNREADABLE):
        pixels(photo[:-100])


def test_a_webp_whose_blocks_were_never_written():
    noise = Image.fromarray(DRAW.integers(256, size=(160, 200, 3), dtype=np.uint8))
    for lossless, image in ((False, noise), (True, PHOTO)):
        data = stored(image, "WEBP", lossless=lossless, exif=Image.Exif().tobytes() + bytes(9000))
        pixels(data)  # zeros behind its pixels are no damage
        data = stored(image, "WEBP", lossless=lossless)
        for missing in (UNWRITTEN + 1, len(data) // 2):
            with pytest.raises(OSError, match="it ends in zeros"):
                pixels(data[:-missing] + bytes(missing))
    flat = Image.new("RGB", (4000, 3000))
    for lossless in (False, True):
        assert not pixels(stored(flat, "WEBP", lossless=lossless)).any()


@pytest.mark.parametrize("options", [{}, {"save_all": True}, {"lossless": True, "quality": 50}])
def test_a_webp_that_its_encoder_ended_with_zeros(options):
    """The fast ones do, of a plain part below a photograph."""
    half = np.zeros((1200, 600, 3), np.uint8)
    half[:300] = DRAW.integers(256, size=(300, 600, 3))
    image = Image.fromarray(half)
    if "save_all" in options:
        options = options | {"append_images": [image.rotate(180)]}
    data = stored(image, "WEBP", method=0, **options)
    end = data.find(b"ANMF", data.find(b"ANMF") + 4) if "save_all" in options else len(data)
    assert not data[end - UNWRITTEN : end].strip(b"\0"), "else this shows nothing"
    assert pixels(data).shape == half.shape
    written = end * 3 // 5
    with pytest.raises(OSError, match="it ends in zeros"):
        pixels(data[:written] + bytes(end - written) + data[end:])


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_whose_data_end_early(mode, tmp_path):
    """Cut, and closed by whoever saved it: the lower part is gray, which no error says."""
    data = stored(PHOTO.convert(mode), "JPEG", quality=90)
    gray = stored(Image.new(mode, PHOTO.size, (128,) * len(mode)), "JPEG")

    def check(content):
        with open_picture(io.BytesIO(content)) as image:
            image.load()
            check_end(image, lambda: open_picture(io.BytesIO(content)))

    check(data)
    check(gray)
    check(data + b"a film behind it" + b"\xff\xd9")
    for part in (0.3, 0.7, 0.95):
        with pytest.raises(OSError, match="its data end early"):
            check(data[: int(len(data) * part)] + b"\xff\xd9")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jpg").write_bytes(data[: len(data) // 2] + b"\xff\xd9")
    with pytest.raises(
        UserError, match=r"a\.jpg \(its data end early, the rest of it would be gray"
    ):
        build(tmp_path / "in", tmp_path / "out")
    build(tmp_path / "in", tmp_path / "out", upright=False)  # as published


def test_a_switch_of_the_caller_lets_no_cut_picture_pass(tmp_path, monkeypatch):
    """Files of networks often hold `ImageFile.LOAD_TRUNCATED_IMAGES = True`."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    (tmp_path / "in").mkdir()
    for name, data in (("a.jpg", stored(PHOTO, "JPEG")), ("b.png", stored(PHOTO, "PNG"))):
        (tmp_path / "in" / name).write_bytes(data[: len(data) // 2])
    PHOTO.save(tmp_path / "in/c.png")
    with pytest.raises(UserError, match=r"cannot read image .*a\.jpg"):
        build(tmp_path / "in", tmp_path / "out")
    found = build(tmp_path / "in", tmp_path / "out", on_error="skip")
    assert found.manifest["skipped"] == ["a.jpg", "b.png"]
    assert ImageFile.LOAD_TRUNCATED_IMAGES
    with strictly(), strictly():
        assert not ImageFile.LOAD_TRUNCATED_IMAGES
    assert ImageFile.LOAD_TRUNCATED_IMAGES


def test_classes_that_are_not_unpacked_and_downloads_that_did_not_end_are_counted(tmp_path):
    (tmp_path / "n01").mkdir()
    PHOTO.save(tmp_path / "n01/a.png")
    (tmp_path / "n01/3f2a9c").write_bytes((tmp_path / "n01/a.png").read_bytes())
    for name in ("n02.tar", "n03.tar", "n01/b.jpg.part", "n01/LICENSE", "labels.csv"):
        (tmp_path / name).write_bytes(b"text")
    found = list_images(tmp_path)
    assert found.paths == ["n01/a.png"]
    counts = {".part files": 1, ".tar files": 2, "pictures without an ending in their name": 1}
    assert found.passed_over == counts


def test_classes_of_names_that_look_alike_are_said(tmp_path, caplog):
    """Folders that a Mac wrote have accents of their own: one class becomes two."""
    for name in ("caf\u00e9", "cafe\u0301", "Dog", "dog", "cat"):
        (tmp_path / "in" / name).mkdir(parents=True)
        PHOTO.save(tmp_path / "in" / name / "a.png")
    with caplog.at_level(logging.WARNING):
        assert len(build(tmp_path / "in", tmp_path / "out").classes) == 5
    said = [record for record in caplog.records if "two classes" in record.msg]
    pairs = {record.args[1:] for record in said}
    assert pairs == {("'Dog'", "'dog'"), (r"'cafe\u0301'", r"'caf\xe9'")}


def test_missing_files_of_a_numbered_set():
    assert absent(f"train-0000{n}-of-00004.parquet" for n in (0, 1, 3)) == 1
    assert absent(["a-00000-of-00002.tar", "b-00000-of-00001.tar", "c-00001-of-00002.tar"]) == 2
    assert absent(f"shard-{n:06d}.tar" for n in (4, 5, 7, 8, 9)) == 1
    for whole in (["a.tar"], ["20240101.tar", "20250101.tar"], ["x-1.tar", "x-9.tar"]):
        assert absent(whole) == 0
    assert absent(["a-00000-of-999999999.tar"]) == 0
    even = [f"shard-{n:06d}.tar" for n in (0, 2, 4, 6, 8)]
    assert absent(even) == 4
    assert absent(even, [f"shard-{n:06d}.tar" for n in (1, 3, 7, 9)]) == 1, "those that are there"
    assert absent(["a-00000-of-00003.tar"], ["a-00001-of-00003.tar", "b-00002-of-00003.tar"]) == 1


def test_missing_shards_are_said(tmp_path):
    for number in (0, 1, 3):
        with tarfile.open(tmp_path / f"s-{number:05d}.tar", "w") as tar:
            info, data = tarfile.TarInfo("a.png"), stored(PHOTO, "PNG")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    options = {"path": str(tmp_path), "size": 16, "labels": ""}
    assert WebDatasetOptions(**options)
    spec = {"kind": "webdataset", "options": options}
    found = build_dataset("mine", spec, {}, tmp_path / "out", 0)
    missing = {"shards that are not there, by the numbers in their names": 1}
    assert found.manifest["passed_over"] == missing
    spec["options"] = options | {"path": f"{tmp_path}/s-0000[013].tar"}
    (tmp_path / "s-00002.tar").write_bytes((tmp_path / "s-00000.tar").read_bytes())
    found = build_dataset("mine", spec, {}, tmp_path / "chosen", 0)
    assert "passed_over" not in found.manifest, "the user left one out"


def test_pictures_whose_zeros_are_left_out(tmp_path):
    """`tar --sparse` leaves out blocks of zeros: the next member was the rest of the picture."""
    black = stored(Image.new("RGB", (200, 200)), "BMP")
    info = tarfile.TarInfo("a.bmp")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 512
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[386:434] = b"%011o\0%011o\0" % (0, 512) + b"%011o\0%011o\0" % (len(black), 0)
    head[483:495] = b"%011o\0" % len(black)
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name in ("a.bmp", "b.bmp"):
            PHOTO.resize((300, 300)).save(tmp_path / name)
            tar.add(tmp_path / name, name)
    whole = path.read_bytes()
    options = {"path": str(path), "size": 16, "labels": ""}
    spec = {"kind": "webdataset", "options": options}
    assert len(build_dataset("mine", spec, {}, tmp_path / "out", 0)) == 2
    second = whole.index(b"b.bmp\0")
    path.write_bytes(head + black[:512] + whole[second:])
    with tarfile.open(path) as tar:
        assert tar.extractfile("a.bmp").read() == black
    with pytest.raises(UserError, match=r"holds a\.bmp without its runs of zeros.*--sparse"):
        build_dataset("mine", spec, {}, tmp_path / "other", 0)


def test_rows_of_a_hub_that_were_cut(tmp_path, monkeypatch):
    """A stream of Arrow has no count of its blocks: cut between two, its readers say nothing."""
    path, start = tmp_path / "a.arrow", b"\xff\xff\xff\xff\x10\0\0\0"
    end = start[:4] + bytes(4)
    path.write_bytes(start + b"rows" * 9 + end)
    check_rows(path)
    for data in (start + b"rows" * 9, start + b"rows" * 9 + bytes(64), start):
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"a\.arrow was cut or not written to its end"):
            check_rows(path)
    path.write_bytes(b"ARROW1\0\0 another form")
    check_rows(path)
    path.write_bytes(start)
    rows = SimpleNamespace(cache_files=[{"filename": str(path)}])
    monkeypatch.setattr("milan_core.images.kinds.huggingface.open_rows", lambda _: rows)
    kind = HuggingFace(options=HuggingFaceOptions(path=str(tmp_path), size=16))
    with pytest.raises(UserError, match="rows are missing"):
        kind.build("mine", tmp_path / "out", {}, 1)
    for number in (0, 2):
        (tmp_path / f"test-0000{number}-of-00003.parquet").write_bytes(b"")
    missing = {"files of the data set that are not there, by their names": 1}
    assert missing_parts(HuggingFaceOptions(path=str(tmp_path), size=16, split="test")) == missing
    assert missing_parts(HuggingFaceOptions(path=str(tmp_path), size=16, split="train")) == {}
