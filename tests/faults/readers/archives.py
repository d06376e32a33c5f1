"""Archives, annotation sets, pictures and records of downloads."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from faults.readers.arrays import make_dataset
from faults.readers.declare import only_user_errors, reader, write


def make_archive(folder: Path) -> None:
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("set/annotations.csv", "layer,unit,summary\na,0,x\n")
        archive.writestr("set/a/ids.csv", "0,1\n")
        archive.writestr("set/a/x.txt", "x" * 500)
    with zipfile.ZipFile(folder / "b.whl", "w") as archive:
        archive.writestr("p/data.txt", "x" * 300)
        archive.writestr("p/b.txt", "y")
    with tarfile.open(folder / "c.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("p/data.txt")
        info.size = 300
        tar.addfile(info, io.BytesIO(b"x" * 300))


@reader(make_archive, a__zip="zip", b__whl="zip", c__tar__gz="raw")
def archives(folder: Path) -> object:
    from milan_core.annotations.unpack import unpack, unpack_table
    from milan_core.images.fetch.archive import extract
    from milan_core.images.fetch.unpacked import unpack_whole, verify_unpacked

    def attempt(call: Callable[[], object]) -> None:
        try:
            call()
        except ValueError as error:
            only_user_errors(error)

    whole = folder / "in" / "whole"
    attempt(lambda: unpack(folder / "a.zip", folder / "in" / "set", 1 << 20))
    attempt(lambda: unpack_table(folder / "a.zip", folder / "in" / "table"))
    attempt(lambda: verify_unpacked(unpack_whole(folder / "b.whl", whole)))
    attempt(lambda: extract(folder / "c.tar.gz", folder / "in/c", ["p/*"], max_bytes=1 << 20))
    return extract(folder / "b.whl", folder / "in" / "b", ["p/*.txt"], max_bytes=1 << 20)


def make_set(folder: Path) -> None:
    rng = np.random.default_rng(0)
    layer = folder / "s" / "conv1"
    layer.mkdir(parents=True)
    np.save(layer / "masks.npy", (rng.random((2, 3, 1, 8, 8)) < 0.3).astype(np.uint8))
    np.save(layer / "images.npy", rng.integers(0, 256, (2, 3, 3, 8, 8), dtype=np.uint8))
    np.save(layer / "units.npy", np.array([0, 4]))
    (layer / "ids.csv").write_text("0,1,2\n3,4,5\n")
    (layer / "activations.csv").write_text("3.5,2,1\n3,2,1\n")
    (folder / "s" / "annotations.csv").write_text("layer,unit,summary\n" + "conv1,4,a dog\n" * 3)


@reader(
    make_set,
    s_S_annotations__csv="csv",
    s_S_conv1_S_ids__csv="csv",
    s_S_conv1_S_activations__csv="csv",
    s_S_conv1_S_masks__npy="npy",
    s_S_conv1_S_images__npy="npy",
    s_S_conv1_S_units__npy="npy",
)
def annotation_set(folder: Path) -> object:
    from milan_core.annotations.released import open_set

    found = open_set(folder / "s", 3)
    return [(unit.ids.sum(), unit.images.sum(), unit.masks.sum()) for unit in found]


def make_shard(folder: Path) -> None:
    with tarfile.open(folder / "s.tar", "w") as out:
        for number in range(2):
            buffer = io.BytesIO()
            Image.fromarray(np.full((9, 9, 3), number * 90, np.uint8)).save(buffer, "PNG")
            for name, body in ((f"{number}.png", buffer.getvalue()), (f"{number}.cls", b"1")):
                info = tarfile.TarInfo(f"x/{name}")
                info.size = len(body)
                out.addfile(info, io.BytesIO(body))


@reader(make_shard, s__tar="tar")
def webdataset(folder: Path) -> object:
    from milan_core.core.options import parse
    from milan_core.images.spec import DatasetSpec

    options = {"path": str(folder / "s.tar"), "size": 8, "resize": 8}
    spec = parse(DatasetSpec, {"kind": "webdataset", "options": options}, "d")
    return spec.build("d", folder / "out", {}, 1)


PICTURES = ("a.png", "b.jpg", "c.bmp", "d.gif", "e.tif", "f.webp", "g.ppm")


def make_pictures(folder: Path) -> None:
    (folder / "p").mkdir()
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    for name in PICTURES:
        image.save(folder / "p" / name)


@reader(make_pictures, **{f"p_S_{name}": "raw" for name in PICTURES})
def pictures(folder: Path) -> object:
    from milan_core.core.options import parse
    from milan_core.images.spec import DatasetSpec

    options = {"path": str(folder / "p"), "size": 8, "resize": 8, "on_error": "skip"}
    spec = parse(DatasetSpec, {"kind": "folder", "options": options}, "d")
    return spec.build("d", folder / "out", {}, 1)


def make_broden(folder: Path) -> None:
    make_dataset(folder)
    (folder / "b" / "images").mkdir(parents=True)
    (folder / "b/label.csv").write_text("number,name,category\n1,red,color(3)\n2,dog,object\n")
    rows = "".join(f"{i},l{i}.png,1\n" for i in range(3))
    (folder / "b/index.csv").write_text("image,object,color\n" + rows)
    for i in range(3):
        array = np.zeros((8, 8, 3), np.uint8)
        array[:4, :, 0] = 2
        Image.fromarray(array).save(folder / "b/images" / f"l{i}.png")
    ids = folder / "d/ids.csv"
    ids.write_text("id,name,label\n" + "".join(f"{i},{i},x\n" for i in range(3)))


@reader(make_broden, b_S_label__csv="csv", b_S_index__csv="csv", b_S_images_S_l0__png="raw")
def broden(folder: Path) -> object:
    from milan_core.describers.concept_sources import broden_masks
    from milan_core.images.store import open_dataset

    return broden_masks(open_dataset(folder / "d"), folder / "b", 8)


LOCK = {"format": "milan-download", "format_version": 1, "sha256": "0" * 64, "size": 1, "url": "u"}
ASSET = {"format_version": 1, "files": [{"path": "x", "sha256": "0" * 64, "size": 1}], "keep": []}


@reader(
    write(
        x__txt="x", x__txt__lock__json=json.dumps(LOCK),
        f_S_x="x", f_S_asset__json=json.dumps(ASSET),
        f__lock__json=json.dumps({"format_version": 1, "files": {"x": "0" * 64}}),
    ),
    x__txt__lock__json="json", f_S_asset__json="json", f__lock__json="json",
)  # fmt: skip
def download_records(folder: Path) -> object:
    from milan_core.images.fetch.asset_record import damage_of
    from milan_core.images.fetch.options import PublishedFile
    from milan_core.images.fetch.trust import verify
    from milan_core.images.fetch.unpacked import verify_unpacked

    spec = PublishedFile(name="x.txt", urls=["https://x.org/x.txt"])
    for call in (lambda: verify(spec, folder / "x.txt"), lambda: damage_of(folder / "f")):
        try:
            call()
        except ValueError as error:
            only_user_errors(error)
    return verify_unpacked(folder / "f")
