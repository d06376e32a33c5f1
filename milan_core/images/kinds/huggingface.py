"""`huggingface`: a data set of the Hugging Face hub, through the optional package `datasets`."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from PIL import Image
from pydantic import Field

from milan_core.core.errors import UserError, unknown
from milan_core.core.inputs import InputPath
from milan_core.core.missing import Missing
from milan_core.core.numbers import is_whole
from milan_core.core.packages import optional
from milan_core.images.files import open_picture
from milan_core.images.kind import PictureKind
from milan_core.images.options import PictureOptions
from milan_core.images.picture import Gathered, Picture, drawn, numbered_classes
from milan_core.images.pictures import store_pictures
from milan_core.images.shards import absent
from milan_core.images.store import Dataset

_COMMIT = re.compile("[0-9a-f]{40}")
_ARROW_END = b"\xff\xff\xff\xff" + bytes(4)


class HuggingFaceOptions(PictureOptions):
    """Options of `kind: huggingface`."""

    path: InputPath = Field(min_length=1, description="OWNER/NAME, or a folder of `save_to_disk`")
    name: str = Field("", description="Configuration of the data set")
    split: str = Field("validation", description="Split")
    revision: str = Field("", description="Commit of a name of the hub, 40 hexadecimal digits")
    image: str = Field("image", description="Column of the images")
    label: str = Field("label", description="Column of the classes; '': none")


class HuggingFace(PictureKind):
    """A data set of the Hugging Face hub, or a folder that `save_to_disk` wrote."""

    decodes: ClassVar[bool] = False  # its readers are not made for several threads

    kind: Literal["huggingface"] = Field("huggingface", description="Hugging Face data set")
    options: HuggingFaceOptions = Field(description="Where they are and how they come to one size")

    def missing(self, key: str) -> Iterator[Missing]:
        """Refuse a name of the hub without a commit: what a branch stands for changes unnoticed."""
        options = self.options
        if not Path(options.path).expanduser().exists() and not _COMMIT.fullmatch(options.revision):
            got = repr(options.revision) if options.revision else "none"
            raise UserError(
                f"config: {key}.options.revision: got {got}, expected the commit of "
                f"{options.path!r}, 40 hexadecimal digits: a branch may change and nothing would "
                f"notice; `git ls-remote https://huggingface.co/datasets/{options.path}` shows it"
            )
        yield from ()

    def build(self, name: str, out: Path, assets: Mapping[str, Path], threads: int) -> Dataset:
        """Read one split, in its own order, into the data set folder `out`."""
        rows = open_rows(self.options)
        for entry in rows.cache_files:
            check_rows(Path(entry["filename"]))
        listed, classes = list_rows(self.options, rows)
        everything = Gathered(listed, missing_parts(self.options))
        pictures = drawn(everything, self.options.count, self.seed, name)
        return store_pictures(self, name, pictures, classes, out, 1)


def list_rows(spec: HuggingFaceOptions, rows: Any) -> tuple[list[Picture], list[str]]:
    """A picture per row, and the names of the classes."""
    for column in filter(None, [spec.image, spec.label]):
        if column not in rows.column_names:
            raise unknown("column", column, rows.column_names, where=f"data set {spec.path!r}")
    raw = without_decoding(rows, spec.image)
    names = getattr(rows.features.get(spec.label), "names", None) if spec.label else []
    labels = [_label(value, names) for value in (rows[spec.label] if spec.label else [])]
    classes = names if names is not None else numbered_classes(labels)
    pictures = [
        Picture(
            str(number),
            labels[number] if spec.label else "",
            f"row {number} of {spec.path}",
            functools.partial(_open, raw, number, spec.image),
        )
        for number in range(len(rows))
    ]
    return pictures, classes


def check_rows(path: Path) -> None:
    """Refuse a file of rows that its writer did not end; its readers take what comes before.

    Raises:
        UserError: for a file that was cut between two blocks of rows, or ends in zeros.

    """
    with path.open("rb") as file:
        head = file.read(8)
        file.seek(max(path.stat().st_size - 8, 0))
        ended = file.read() == _ARROW_END
    if head[:4] == _ARROW_END[:4] and not ended:
        raise UserError(f"{path} was cut or not written to its end: rows are missing; get it again")


def missing_parts(spec: HuggingFaceOptions) -> dict[str, int]:
    """Files of the split in a folder of the user's that are not there, by their names."""
    folder, split = Path(spec.path).expanduser(), spec.split.partition("[")[0]
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*-of-*")]
    missing = absent(name for name in names if split in name)
    return {"files of the data set that are not there, by their names": missing} if missing else {}


def _label(value: Any, names: list[str] | None) -> str:
    """The class of a row; empty where it has none: null, or a negative number."""
    if value is None or (isinstance(value, int) and value < 0):
        return ""
    text = names[value] if names else str(value)
    return str(int(text)) if not names and is_whole(text) else text


def open_rows(spec: HuggingFaceOptions) -> Any:
    """The split; raises `UserError` where the package, the data set or the split is missing."""
    datasets = optional("datasets", "hub", "for images of `kind: huggingface`")
    folder = Path(spec.path).expanduser()
    try:
        if folder.is_dir() and any(folder.glob("*.json")):
            stored = datasets.load_from_disk(str(folder))
            if isinstance(stored, datasets.DatasetDict):
                return stored[spec.split]
            _check_split(spec, str(stored.split or ""))
            return stored
        return datasets.load_dataset(
            spec.path, spec.name or None, split=spec.split, revision=spec.revision or None
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        msg = f"cannot open the data set {spec.path!r}, split {spec.split!r}: {message}"
        raise UserError(msg) from None


def _check_split(spec: HuggingFaceOptions, stored: str) -> None:
    """Refuse a folder of one split that knows its name and is another one."""
    name = stored.partition("[")[0]
    if name and name != spec.split.partition("[")[0]:
        raise UserError(
            f"{spec.path} holds the split {name!r}, not {spec.split!r}; set `split: {name}`, or "
            "give the folder of the other one"
        )


def without_decoding(rows: Any, column: str) -> Any:
    """The rows with the image files as they are stored: we decode all pictures ourselves."""
    import datasets

    if not isinstance(rows.features[column], datasets.Image):
        raise UserError(f"column {column!r} holds no images but {rows.features[column]}")
    return rows.cast_column(column, datasets.Image(decode=False))


def _open(rows: Any, number: int, column: str) -> Image.Image:
    value = rows[number][column]
    if value is None:
        raise OSError("it is empty")
    return open_picture(io.BytesIO(value["bytes"]) if value.get("bytes") else value["path"])
