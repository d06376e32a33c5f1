"""Names of folders and lists of published data sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Names of the parts of a published data set, first match wins."""

    folders: tuple[str, ...]  # `{}` is the split
    truths: tuple[str, ...]
    classes: tuple[str, ...]


DEVKIT = "ILSVRC2012_devkit_t12/data/"
IMAGENET = Layout(
    ("{}", "ILSVRC/Data/CLS-LOC/{}", "ILSVRC2012_img_{}"),
    (
        "LOC_{}_solution.csv",
        "imagenet_2012_validation_synset_labels.txt",
        "{}.txt",
        "ILSVRC2012_validation_ground_truth.txt",
        f"{DEVKIT}ILSVRC2012_validation_ground_truth.txt",
    ),
    ("LOC_synset_mapping.txt", "synset_words.txt", "synsets.txt", "meta.mat", f"{DEVKIT}meta.mat"),
)
PLACES365 = Layout(
    ("{}", "{}_256", "{}_large"),
    ("places365_{}.txt", "filelist_places365-standard/places365_{}.txt"),
    ("categories_places365.txt", "filelist_places365-standard/categories_places365.txt"),
)


def split_folder(top: Path, split: str, layout: Layout) -> Path:
    """The folder of a split below `top`; `top` itself where no published name exists."""
    folders = [top / pattern.format(split) for pattern in layout.folders]
    return next((folder for folder in folders if folder.is_dir()), top)


def is_flat(folder: Path) -> bool:
    """Whether `folder` has no subfolders, so that lists give the classes."""
    return folder.is_dir() and not any(item.is_dir() for item in folder.iterdir())
