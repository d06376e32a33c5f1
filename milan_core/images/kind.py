"""Base classes of the kinds of data sets.

A kind is one class in `images/kinds/<kind>.py` and one member of `images.spec.DatasetSpec`. The
class holds its options, builds the images, and says which of the user's files it reads and which of
them are missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, PlainValidator, SerializeAsAny

from milan_core.core.errors import UserError
from milan_core.core.missing import Missing
from milan_core.core.options import Section, parse
from milan_core.images.options import PictureOptions
from milan_core.images.store import Dataset


class DatasetKind(Section):
    """An entry of `dataset_zoo`; a subclass gives `kind` its name and the keys of its own."""

    kind: str

    has_truth: ClassVar[bool] = False
    """Instance maps and scenes come with the images: concepts of units are known."""
    decodes: ClassVar[bool] = False
    """Pictures are decoded one by one, so threads help."""

    @property
    def read_assets(self) -> list[str]:
        """Names of the assets that it is made of."""
        return []

    @property
    def generator(self) -> str | None:
        """The network that draws the images, if one does."""
        return None

    def missing(self, key: str) -> Iterator[Missing]:
        """Files of the user's that are not there; `key` is the entry's key in the config."""
        yield from ()

    def build(self, name: str, out: Path, assets: Mapping[str, Path], threads: int) -> Dataset:
        """Write the data set folder `out` and open it.

        Args:
            name: of the data set.
            out: the folder; the same entry, files and assets give the same bytes.
            assets: folders of `read_assets`, by name.
            threads: pictures decoded at once; they change the speed only.

        """
        raise UserError(f"dataset {name!r}: images of kind {self.kind} are drawn by a network")


class PictureKind(DatasetKind):
    """A kind whose pictures are read from files."""

    decodes: ClassVar[bool] = True

    options: PictureOptions
    seed: int = Field(0, description="Seed of the draw of `count` images")


def kind_class(kind: str) -> type[DatasetKind]:
    """The class of a kind, imported by name so that no other kind is."""
    module = import_module(f"{__package__}.kinds.{kind}")
    for item in vars(module).values():
        if isinstance(item, type) and issubclass(item, DatasetKind):
            field = item.model_fields.get("kind")
            if field is not None and field.default == kind:
                return item
    raise UserError(f"no kind of data set {kind!r}")


def _read(value: Any) -> DatasetKind:
    if isinstance(value, DatasetKind):
        return value
    return parse(kind_class(value["kind"]), value, "the data set")


AnyKind = Annotated[SerializeAsAny[DatasetKind], PlainValidator(_read)]
"""A data set of any kind as a job reads it; its code is that of its own kind."""
