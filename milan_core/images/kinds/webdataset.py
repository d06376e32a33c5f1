"""`webdataset`: samples in tar files, read without unpacking.

A sample is the files of one shard that share the name before the first dot: `0001.jpg`, `0001.cls`.
Samples without a picture, such as `a.b.jpg` (a sample `a` with a file `b.jpg`), are counted.
Headers are scanned once; pictures are then read at their offsets.
"""

from __future__ import annotations

import glob
import io
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, cast

from PIL import Image
from pydantic import Field

from milan_core.core.archives import open_tar
from milan_core.core.errors import UserError, reason_of
from milan_core.core.inputs import InputPath
from milan_core.core.missing import Missing
from milan_core.core.numbers import is_whole
from milan_core.images.fetch.archive import DAMAGED
from milan_core.images.files import open_picture
from milan_core.images.kind import PictureKind
from milan_core.images.listing import EXTENSIONS, said
from milan_core.images.options import PictureOptions
from milan_core.images.picture import Gathered, Picture, drawn, numbered_classes
from milan_core.images.pictures import store_pictures
from milan_core.images.shards import absent
from milan_core.images.sources import missing_path
from milan_core.images.store import Dataset

Slice = tuple[Path, int, int]  # file, offset, bytes
PICTURE, LABEL = 1 << 29, 1 << 16  # bytes that are read at most


class WebDatasetOptions(PictureOptions):
    """Options of `kind: webdataset`."""

    path: InputPath = Field(
        min_length=1, description="A tar file, a folder of them, or a pattern: shards/*.tar"
    )
    labels: str = Field(
        "cls", description="Suffix of the file with the class's number or name; '': none"
    )
    classes: list[str] = Field([], description="Names of the numbers")


class WebDataset(PictureKind):
    """Samples in tar files: the files of one sample share the name before the suffix."""

    kind: Literal["webdataset"] = Field("webdataset", description="Images in tar files")
    options: WebDatasetOptions = Field(description="Where they are and how they come to one size")

    def missing(self, key: str) -> Iterator[Missing]:
        """The files, where none is there."""
        yield from missing_path(f"{key}.options.path", self.options.path)

    def build(self, name: str, out: Path, assets: Mapping[str, Path], threads: int) -> Dataset:
        """Read the shards, in the order of their names, into the data set folder `out`."""
        options = self.options
        passed: Counter[str] = Counter()
        shards = find_shards(options.path)
        folders = {shard.parent for shard in shards}
        there = (file.name for folder in folders for file in folder.glob("*.tar"))
        if missing := absent((shard.name for shard in shards), there):
            passed["shards that are not there, by the numbers in their names"] = missing
        found = [picture for shard in shards for picture in list_shard(shard, options, passed)]
        everything = Gathered(found, passed)
        if not everything:
            beside = f"; passed over {said(passed)}" if passed else ""
            raise UserError(
                f"dataset {name!r}: no images in the tar files of {options.path}{beside}"
            )
        classes = options.classes or numbered_classes(one.label for one in everything)
        pictures = drawn(everything, options.count, self.seed, name)
        return store_pictures(self, name, pictures, classes, out, threads)


def find_shards(path: str) -> list[Path]:
    """Tar files of a pattern, a folder, or the single file, sorted."""
    given = Path(path).expanduser()
    pattern = glob.escape(str(given)) if given.exists() else str(given)  # brackets in a name
    pattern = f"{pattern}/*.tar" if given.is_dir() else pattern
    shards = sorted(Path(match) for match in glob.glob(pattern))  # noqa: PTH207 - any folder
    if not shards:
        raise UserError(f"no tar files at {path}; give a file, a folder or a pattern with *")
    return shards


def list_shard(shard: Path, spec: WebDatasetOptions, passed: Counter[str]) -> list[Picture]:
    """The pictures of one tar file in its order; counts in `passed` what is none of them."""
    samples: dict[str, dict[str, Slice]] = {}
    for member, data in _members(shard):
        head, _, tail = member.rpartition("/")
        stem, _, suffix = tail.partition(".")
        parts = samples.setdefault(f"{head}/{stem}" if head else stem, {})
        if suffix.lower() in parts:
            raise UserError(f"{shard}: {member} occurs twice; a sample has each suffix once")
        parts[suffix.lower()] = data
    pictures = []
    for key, parts in samples.items():
        images = [part for suffix, part in parts.items() if f".{suffix}" in EXTENSIONS]
        if not images:
            passed["samples without a picture"] += 1
        else:
            if len(images) > 1:
                passed["further pictures of samples"] += len(images) - 1
            label = _label(shard, key, parts.get(spec.labels.lower()), spec)
            where = f"{key} in {shard}"
            name = f"{shard.name}/{key}"
            pictures.append(Picture(name, label, where, _opener(images[0]), file=shard))
    return pictures


def _members(shard: Path) -> Sequence[tuple[str, Slice]]:
    try:
        with open_tar(shard, packed=False) as tar:
            files = [member for member, _ in tar if member.isreg()]
    except DAMAGED as error:
        hint = "unpack it first" if shard.suffix in (".gz", ".zst", ".xz") else "get it again"
        raise UserError(
            f"{shard} is not a whole, uncompressed tar file ({reason_of(error)}); {hint}"
        ) from None
    except OSError as error:
        raise UserError(f"cannot read {shard}: {error}") from None
    if holes := next((file.name for file in files if _has_holes(file)), None):
        raise UserError(
            f"{shard} holds {holes} without its runs of zeros, as `tar --sparse` writes it; write "
            "the archive without that option"
        )
    members = [(file.name, (shard, file.offset_data, file.size)) for file in files]
    size = shard.stat().st_size
    if cut := next((name for name, (_, start, length) in members if start + length > size), None):
        raise UserError(f"{shard} is cut short within {cut}; get it again")
    return members


def _has_holes(file: tarfile.TarInfo) -> bool:
    """Whether a file's zeros are left out, so that its bytes do not stand one behind the other."""
    kept = cast("Sequence[tuple[int, int]] | None", file.sparse)  # offset and bytes
    return kept is not None and sum(size for _, size in kept) != file.size


def _opener(data: Slice) -> Callable[[], Image.Image]:
    def opened() -> Image.Image:
        if data[2] > PICTURE:
            raise OSError(f"it has {data[2]} bytes, more than {PICTURE}")
        return open_picture(io.BytesIO(_bytes(data)))

    return opened


def _bytes(data: Slice) -> bytes:
    path, start, length = data
    with path.open("rb") as handle:
        handle.seek(start)
        return handle.read(length)


def _label(shard: Path, key: str, data: Slice | None, spec: WebDatasetOptions) -> str:
    if not spec.labels:
        return ""
    if data is None:
        msg = f"{shard}: sample {key} has no .{spec.labels} file; set `labels` to its suffix, or ''"
        raise UserError(msg)
    if data[2] > LABEL:
        raise UserError(f"{shard}: the label of {key} has {data[2]} bytes; a class has a few")
    text = _bytes(data).decode("utf-8", "replace").strip()
    if not is_whole(text):
        return text
    if not spec.classes:
        return str(int(text))
    if int(text) >= len(spec.classes):
        raise UserError(f"{shard}: sample {key} has class {text}, there are {len(spec.classes)}")
    return spec.classes[int(text)]
