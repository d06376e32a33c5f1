"""`asset.json`: what lies in the folder of a fetched asset, from which package, under what license.

One reader for all that read it: the step that fetches, the catalog, the sticker world, the report.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, Field

from milan_core.core.errors import reads
from milan_core.core.files import file_sha256, read_json, write_json
from milan_core.core.options import parse
from milan_core.images.fetch.options import NamedAsset

NAME = "asset.json"
FORMAT, VERSION = "milan-asset", 1


class AssetFile(BaseModel):
    """One file of an asset."""

    path: str
    size: int
    sha256: str


class AssetRecord(BaseModel):
    """The record of an asset."""

    format: str = FORMAT
    format_version: int = VERSION
    name: str = ""
    package: str = ""
    version: str = ""
    sha256: str = ""
    keep: list[str] = Field([])
    drop: list[str] = Field([])
    licence: str = ""
    credit: str = ""
    files: list[AssetFile] = Field([])

    def describes(self, spec: NamedAsset) -> bool:
        """Whether it is of this asset, and of this version of the record."""
        names = ("sha256", "keep", "drop", "licence", "credit")
        same = all(getattr(self, name) == getattr(spec, name) for name in names)
        return same and self.format_version == VERSION


@reads("the folder of an asset", "fetch the asset again")
def read_asset(folder: Path) -> AssetRecord:
    """The record of the asset in a folder."""
    return parse(AssetRecord, read_json(folder / NAME, "asset record"), f"{folder / NAME}")


def write_asset(spec: NamedAsset, folder: Path, files: Sequence[Path]) -> None:
    """Write the record of an asset; `files` are relative to its folder."""
    facts = ("name", "package", "version", "sha256", "keep", "drop", "licence", "credit")
    listed = [
        AssetFile(
            path=file.as_posix(),
            size=(folder / file).stat().st_size,
            sha256=file_sha256(folder / file),
        )
        for file in files
    ]
    record = AssetRecord(**{name: getattr(spec, name) for name in facts}, files=listed)
    write_json(folder / NAME, record.model_dump(mode="json"))


@reads("the folder of an asset", "fetch the asset again")
def damage_of(folder: Path) -> str:
    """The first file of an asset that is not as its record says; empty where there is none."""
    for item in read_asset(folder).files:
        path = folder / item.path
        if not path.is_file() or file_sha256(path) != item.sha256:
            return f"{path} is missing or was changed"
    return ""
