"""Sources of concept masks: a world's ground truth, a Broden folder, or a segmentation model.

A Broden folder (Network Dissection's data) holds `index.csv` with the columns image and one per
category, `label.csv` (number,name,category,...), and below `images/` the images and the label maps;
a cell of a category column is empty, a number (a concept of the whole image), or one or several
`;`-separated PNG files whose pixels hold red + 256 * green = label number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.core.numbers import is_whole
from milan_core.core.tables import grouped
from milan_core.describers.concepts import ConceptMasks, ImageMasks, resized
from milan_core.describers.label_options import ConceptsOptions
from milan_core.images.damage import strictly
from milan_core.images.files import UNREADABLE, open_picture
from milan_core.images.picture import MOST_CLASSES
from milan_core.world.concepts import ConceptTable

if TYPE_CHECKING:
    from milan_core.images.store import Dataset

IMAGE_FIELDS = ("image", "split", "ih", "iw", "sh", "sw")
COLOUR = "colour"
Labeled = Mapping[str, str]  # a row of index.csv


def concept_masks(dataset: Dataset, source: ConceptsOptions, device: str = "cpu") -> ConceptMasks:
    """The masks that section `baselines.concepts` asks for."""
    if source.source == "truth":
        return truth_masks(dataset, source.size)
    if source.source == "folder":
        return broden_masks(dataset, Path(str(source.path)), source.size)
    return segmenter_masks(dataset, str(source.path), source.size, device)


def truth_masks(dataset: Dataset, size: int) -> ConceptMasks:
    """Objects, surfaces, text, faces, super-classes, kinds and colors of a composed world."""
    table = ConceptTable(dataset)
    colours = table.lexicon.colours
    names = [concept.name for concept in table.concepts] + list(colours)
    categories = [concept.tier for concept in table.concepts] + [COLOUR] * len(colours)
    # bool [L * K, C + K]: what a thing of one leaf and color is
    leaves, colour = np.divmod(np.arange(table.leaves * len(colours)), len(colours))
    meaning = np.concatenate(
        [table.parents[leaves], np.eye(len(colours), dtype=np.int64)[colour]], axis=1
    ).astype(bool)

    def images() -> Iterator[ImageMasks]:
        for codes, things in zip(table.codes, table.instances, strict=True):
            shown = np.asarray(things)
            present = np.unique(shown)
            known = meaning[codes[present]]  # bool [things, C]
            which = np.flatnonzero(known.any(0))
            masks = np.stack([np.isin(shown, present[known[:, c]]) for c in which])
            yield which, masks

    return ConceptMasks.collect(
        names, categories, images(), size, dataset=dataset.fingerprint, source="ground truth"
    )


def broden_masks(dataset: Dataset, folder: Path, size: int) -> ConceptMasks:
    """Masks of a Broden folder for the images of `dataset`, matched by their path or file name."""
    labels = read_csv(folder / "label.csv", ("number", "name", "category"))
    numbers = [_whole(row["number"], folder / "label.csv") for row in labels]
    place = {number: i for i, number in enumerate(numbers)}
    rows = read_csv(folder / "index.csv", ("image",))
    index = {row["image"]: row for row in rows}
    _check_once(folder / "label.csv", "number", numbers)
    _check_once(folder / "index.csv", "image", [row["image"] for row in rows])
    by_name = grouped(rows, lambda row: Path(row["image"]).name)
    found = [_rows_of(index, by_name, name) for name in dataset.names]
    if missing := [name for name, of in zip(dataset.names, found, strict=True) if not of]:
        raise UserError(
            f"{folder / 'index.csv'}: {len(missing)} of the {len(dataset)} images of data set "
            f"{dataset.name!r} are not in it, such as {missing[0]!r}; build the data set from the "
            "folder's own images"
        )
    taken: dict[str, str] = {}
    for name, of in zip(dataset.names, found, strict=True):
        images_of = [row["image"] for row in of]
        if len(of) > 1 or taken.setdefault(images_of[0], name) != name:
            other = f"or {images_of[1]!r}" if len(of) > 1 else f"as {taken[images_of[0]]!r} is"
            raise UserError(
                f"{folder / 'index.csv'}: image {name!r} of data set {dataset.name!r} may be "
                f"{images_of[0]!r} {other}; give the images the paths of the column image"
            )

    def images() -> Iterator[ImageMasks]:
        for (row,) in found:
            yield _broden_image(folder, row, place, size)

    names = [row["name"] for row in labels]
    categories = [row["category"].split("(")[0].split(";")[0] for row in labels]
    return ConceptMasks.collect(
        names, categories, images(), size, dataset=dataset.fingerprint, source=f"folder {folder}"
    )


def _check_once(path: Path, column: str, cells: Sequence[Any]) -> None:
    """Refuse two rows of one key, of which one would count."""
    if twice := [cell for cell, times in Counter(cells).items() if times > 1]:
        raise UserError(
            f"{path}: {column} {twice[0]!r:.80} has several rows, {len(twice)} such in all; keep "
            "one of each"
        )


def _rows_of(
    index: Mapping[str, Labeled], by_name: Mapping[str, Sequence[Labeled]], name: str
) -> Sequence[Labeled]:
    """The row of an image's path; else those whose paths end alike, as far as they agree."""
    if name in index:
        return [index[name]]
    rows, ends = by_name.get(Path(name).name, ()), Path(name).parts
    for count in range(2, len(ends) + 1):
        longer = [row for row in rows if Path(row["image"]).parts[-count:] == ends[-count:]]
        rows = longer or rows
    return rows


def _whole(text: str, path: Path) -> int:
    if is_whole(text):
        return int(text)
    raise UserError(f"{path}: {text!r:.60} is not a label number")


def _broden_image(
    folder: Path, row: Mapping[str, str], place: Mapping[int, int], size: int
) -> ImageMasks:
    by_concept: dict[int, np.ndarray] = {}
    for column, cell in row.items():
        if column in IMAGE_FIELDS or not cell:
            continue
        for part in cell.split(";"):
            if is_whole(part):
                maps = np.full((size, size), _whole(part, folder / "index.csv"))
            else:
                maps = _label_map(folder / "images" / part.strip())
            numbers = np.unique(maps).tolist()
            if unknown := [number for number in numbers if number and number not in place]:
                message = f"{folder}: {part.strip()} holds label {unknown[0]}, not in label.csv"
                raise UserError(message)
            for number in (number for number in numbers if number):  # 0: unlabeled
                concept, shown = place[number], resized((maps == number)[None], size)[0]
                by_concept[concept] = (
                    by_concept[concept] | shown if concept in by_concept else shown
                )
    which = np.array(sorted(by_concept), np.int64)
    masks = [by_concept[int(c)] for c in which]
    return which, np.stack(masks) if masks else np.zeros((0, size, size), bool)


def _label_map(path: Path) -> np.ndarray:
    """The label numbers of one PNG, uint16 (h, w); masks of all at once may take any memory."""
    try:
        with strictly(), open_picture(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    except UNREADABLE as error:
        raise UserError(f"{path}: cannot read this label map: {error}") from None
    return pixels[..., 0].astype(np.uint16) + (pixels[..., 1].astype(np.uint16) << 8)


def segmenter_masks(
    dataset: Dataset, path: str, size: int, device: str = "cpu", batch: int = 8
) -> ConceptMasks:
    """Masks that a semantic segmentation model of `transformers` finds in the images."""
    import torch

    from milan_core.networks.checkpoints import Checkpoint

    files = "config.json, model.safetensors, preprocessor_config.json"
    checkpoint = Checkpoint("segmentation", path, files)
    checkpoint.check()
    from transformers import AutoImageProcessor, AutoModelForSemanticSegmentation

    processor = checkpoint.part(AutoImageProcessor)
    model = checkpoint.model(AutoModelForSemanticSegmentation, device)
    names = _class_names(model.config.id2label, path)

    def images() -> Iterator[ImageMasks]:
        for start in range(0, len(dataset), batch):
            pixels = [np.array(image) for image in dataset.images[start : start + batch]]
            inputs = processor(images=pixels, return_tensors="pt").to(device)
            with torch.inference_mode():
                logits = model(**inputs).logits
            logits = torch.nn.functional.interpolate(
                logits.float(), (size, size), mode="bilinear", align_corners=False
            )
            for classes in logits.argmax(1).cpu().numpy():
                which = np.unique(classes)
                yield which, classes[None] == which[:, None, None]

    return ConceptMasks.collect(
        names,
        ["object"] * len(names),
        images(),
        size,
        dataset=dataset.fingerprint,
        source=f"segmentation model {path}",
    )


def _class_names(id2label: Mapping[Any, str], path: str) -> Sequence[str]:
    """Names in the order of class numbers; the first of several that are separated by commas."""
    table = {int(key): name for key, name in id2label.items()}
    if max(table) >= MOST_CLASSES:
        raise UserError(f"{path}: config.json names class {max(table)}; correct its id2label")
    return [table.get(i, str(i)).split(",")[0].strip() for i in range(max(table) + 1)]
