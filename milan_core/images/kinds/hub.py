"""`huggingface`: a data set of the Hugging Face hub, through the optional package `datasets`."""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import Any

from PIL import Image

from milan_core.core.errors import UserError, unknown
from milan_core.images.options import HubSpec
from milan_core.images.pictures import Picture, drawn, store_pictures
from milan_core.images.store import Dataset


def build_hub(name: str, spec: HubSpec, out: Path, seed: int, threads: int) -> Dataset:
    """Read one split, in its own order, into the data set folder `out`."""
    del threads  # its readers are not made for several threads
    rows = open_rows(spec)
    for column in filter(None, [spec.image, spec.label]):
        if column not in rows.column_names:
            raise unknown("column", column, rows.column_names, where=f"data set {spec.path!r}")
    raw = without_decoding(rows, spec.image)
    names = getattr(rows.features.get(spec.label), "names", None) if spec.label else []
    numbers = rows[spec.label] if spec.label else []
    classes = names if names is not None else sorted({str(value) for value in numbers})
    labels = [names[value] if names and value >= 0 else str(value) for value in numbers]
    everything = [
        Picture(
            str(number),
            labels[number] if spec.label else "",
            f"row {number} of {spec.path}",
            functools.partial(_open, raw, number, spec.image),
        )
        for number in range(len(rows))
    ]
    pictures = drawn(everything, spec.count, seed, name)
    return store_pictures(name, "huggingface", pictures, classes, spec, out, seed, 1)


def open_rows(spec: HubSpec) -> Any:
    """The split; raises `UserError` where the package, the data set or the split is missing."""
    try:
        import datasets
    except ImportError:
        msg = "kind huggingface needs the package `datasets`: pip install 'milan-workflow[hub]'"
        raise UserError(msg) from None
    folder = Path(spec.path).expanduser()
    try:
        if folder.is_dir() and any(folder.glob("*.json")):
            found = datasets.load_from_disk(str(folder))
            return found[spec.split] if isinstance(found, datasets.DatasetDict) else found
        return datasets.load_dataset(
            spec.path, spec.name or None, split=spec.split, revision=spec.revision or None
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        msg = f"cannot open the data set {spec.path!r}, split {spec.split!r}: {message}"
        raise UserError(msg) from None


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
    return Image.open(io.BytesIO(value["bytes"]) if value.get("bytes") else value["path"])
