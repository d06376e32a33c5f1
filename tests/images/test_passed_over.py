"""Pictures of every origin: taken by a stated rule, counted where passed over, or refused."""

import ast
import contextlib
import gc
import io
import logging
import os
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from datasets_made import build_dataset
from PIL import Image

import milan_core
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.images import listing
from milan_core.images.files import UNREADABLE, open_picture, resize_crop, to_rgb
from milan_core.images.kinds.folder import list_folder
from milan_core.images.listing import list_images


def save(path, value=90, size=(20, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)


def deep(values):
    return Image.fromarray(values)


def build(folder, out, **options):
    spec = {"kind": "folder", "options": {"path": str(folder), "size": 16, **options}}
    return build_dataset("mine", spec, {}, out, 0)


def test_what_is_passed_over_is_counted_and_said(tmp_path, caplog):
    folder = tmp_path / "in"
    for name in ("1.png", "2.jfif", "3.JPE"):
        save(folder / "a" / "x.png")
        (folder / "a" / "x.png").rename(folder / "a" / name)
    for name in ("x.heic", "y.HEIC", "z.avif", "notes.txt", ".hidden.heic"):
        (folder / name).write_bytes(b"x")
    os.mkfifo(folder / "pipe.png")
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with caplog.at_level(logging.WARNING):
        found = build(folder, tmp_path / "out", on_error="skip")
    assert found.names == ["a/1.png", "a/2.jfif", "a/3.JPE"]
    counts = {".avif files": 1, ".heic files": 2, "names that are no plain files": 2}
    assert found.manifest["passed_over"] == counts
    assert found.manifest["skipped"] == ["cut.png"]
    said = "dataset mine: 3 images; passed over 1 unreadable, 1 .avif files, 2 .heic files, 2 names"
    assert said in caplog.text


def test_nothing_passed_over_leaves_the_manifest_as_it_was(tmp_path, caplog):
    save(tmp_path / "in" / "x.png")
    found = build(tmp_path / "in", tmp_path / "out")
    assert "passed_over" not in found.manifest
    assert "range" not in found.manifest["spec"]["options"]
    assert not caplog.text


def test_closed_folders(tmp_path, monkeypatch):
    for name in ("open/1.png", "closed/2.png"):
        save(tmp_path / "in" / name)
    real = os.scandir

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(listing.os, "scandir", scandir)
    assert list_images(tmp_path / "in").passed_over == {"closed folders": 1}
    with pytest.raises(UserError, match="no permission to read the image folder"):
        list_images(tmp_path / "in" / "closed")


def test_only_other_formats(tmp_path):
    (tmp_path / "x.heic").touch()
    with pytest.raises(UserError, match=r"at any depth; passed over 1 \.heic files"):
        list_images(tmp_path)


LONG = """
import resource, sys
from pathlib import Path
from milan_core.images.kinds.folder import FolderOptions
from milan_core.images.pictures import read_picture
from milan_core.images.picture import from_file
resource.setrlimit(resource.RLIMIT_AS, (3 << 29, 3 << 29))
read_picture(from_file(Path(sys.argv[1]), "x", ""), FolderOptions(path=".", size=224))
"""


@pytest.mark.parametrize("size", [(1, 20_000), (20_000, 1), (3, 60_000)])
def test_a_long_thin_picture_takes_little_memory(size, tmp_path):
    Image.new("L", size, 70).save(tmp_path / "x.png")
    subprocess.run([sys.executable, "-c", LONG, str(tmp_path / "x.png")], check=True)


def test_a_long_picture_is_cropped_to_the_same_pixels(monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (400, 30, 3), dtype=np.uint8)
    whole = resize_crop(Image.fromarray(pixels), 64, 56)
    monkeypatch.setattr("milan_core.images.files.LARGEST", 1000)
    first = resize_crop(Image.fromarray(pixels), 64, 56)
    assert np.abs(first.astype(int) - whole).max() <= 1


def test_formats_are_told_by_content_and_others_refused(tmp_path):
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n"
    (tmp_path / "x.png").write_bytes(eps)
    with pytest.raises(UserError, match="its content is none of JPEG, PNG"):
        build(tmp_path, tmp_path / "out")
    with pytest.raises(OSError, match="none of JPEG"):
        open_picture(io.BytesIO(eps))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no plain file"):
        open_picture(tmp_path / "pipe")


def test_pictures_are_opened_in_one_place():
    places = [
        path.name
        for path in Path(milan_core.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Image.open"
    ]
    assert places == ["files.py"]


def test_names_that_are_not_utf8(tmp_path, caplog):
    folder = tmp_path / "in"
    save(folder / "caf\udce9.png", 10)
    save(folder / "class\udce9" / "y.png", 20)
    found = build(folder, tmp_path / "out")
    assert found.names == ["caf\\xe9.png", "class\\xe9/y.png"]
    assert found.classes == ["class\\xe9"]
    assert [row["label"] for row in read_csv(tmp_path / "out/ids.csv")] == ["", "class\\xe9"]
    (folder / "bad\udce9.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"cannot read image .*bad\\xe9\.png"):
        build(folder, tmp_path / "out")


def test_a_listing_takes_little_memory(tmp_path):
    for number in range(1200):
        (tmp_path / f"class{number % 40:03d}").mkdir(exist_ok=True)
        os.mknod(tmp_path / f"class{number % 40:03d}" / f"ILSVRC2012_val_{number:08d}.JPEG")
    tracemalloc.start()
    pictures = list_folder(tmp_path)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(pictures) == 1200
    assert held / 1200 < 150, "bytes a picture"
    assert pictures[7].label == "class000"


CLOSED = """
import os, sys
from pathlib import Path
from milan_core.core.errors import UserError
from milan_core.images.fetch.places import is_filled
from milan_core.images.listing import list_images
folder = Path(sys.argv[1])
assert list_images(folder).passed_over == {"closed folders": 1}
for reader in (list_images, is_filled):
    try:
        reader(folder / "closed")
    except UserError as error:
        assert "no permission to read" in str(error)
    else:
        raise SystemExit("it was read")
"""


@pytest.mark.skipif(not shutil.which("setpriv"), reason="setpriv drops root's rights")
def test_folders_that_are_closed_indeed(tmp_path):
    for name in ("open/1.png", "closed/2.png"):
        save(tmp_path / name)
    (tmp_path / "closed").chmod(0)
    rights = "-dac_override,-dac_read_search"
    drop = (
        ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"] if not os.getuid() else []
    )
    ran = subprocess.run([*drop, sys.executable, "-c", CLOSED, str(tmp_path)], check=False)
    (tmp_path / "closed").chmod(0o755)
    assert ran.returncode == 0


def test_no_more_memory_is_taken_than_a_file_holds(tmp_path):
    """A chunk of pixels says that it has 4 GB; a fuzzer found it."""
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8), (90, 60, 30)).save(path)
    good = path.read_bytes()
    at = good.index(b"IDAT") - 4
    path.write_bytes(good[:at] + b"\xff\x00\x00\x13" + good[at + 4 :])
    tracemalloc.start()
    with contextlib.suppress(*UNREADABLE):
        pixels = np.asarray(to_rgb(open_picture(path)))
        assert (pixels == (90, 60, 30)).all()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4 << 20


@pytest.mark.parametrize("kind", ["png", "jpg", "tiff", "gif", "webp", "bmp", "ppm"])
def test_pictures_close_their_files(kind, tmp_path):
    path = tmp_path / f"a.{kind}"
    Image.new("RGB", (8, 8)).save(path)
    gc.collect()  # of earlier tests
    held = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        open_picture(path)  # neither loaded nor closed
        with open_picture(path) as image:
            image.load()
        del image
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == held
