"""`folder`: the user's images at any depth; first-level folders are the classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from milan_core.core.inputs import InputPath
from milan_core.core.missing import Missing
from milan_core.images.kind import PictureKind
from milan_core.images.listing import list_images
from milan_core.images.options import PictureOptions
from milan_core.images.picture import FilePictures, drawn, labelled_classes
from milan_core.images.pictures import store_pictures
from milan_core.images.sources import missing_path
from milan_core.images.store import Dataset


class FolderOptions(PictureOptions):
    """Options of `kind: folder`."""

    path: InputPath = Field(
        min_length=1, description="Folder; its first-level folders are the classes"
    )


class Folder(PictureKind):
    """Your images, at any depth below one folder."""

    kind: Literal["folder"] = Field("folder", description="Your images, at any depth")
    options: FolderOptions = Field(description="Where they are and how they come to one size")

    def missing(self, key: str) -> Iterator[Missing]:
        """The folder, where it is not there or empty."""
        yield from missing_path(f"{key}.options.path", self.options.path)

    def build(self, name: str, out: Path, assets: Mapping[str, Path], threads: int) -> Dataset:
        """Read the folder into the data set folder `out`."""
        everything = list_folder(Path(self.options.path).expanduser())
        pictures = drawn(everything, self.options.count, self.seed, name)
        return store_pictures(self, name, pictures, labelled_classes(everything), out, threads)


def list_folder(folder: Path) -> FilePictures:
    """The images below `folder` in sorted order; those in no class folder have no class."""
    return FilePictures(list_images(folder))
