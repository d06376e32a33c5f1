"""Format of a data set folder, the same for all kinds, and its reader (`images.writing` writes it).

    manifest.json   format, version, name, kind, spec, seed, shapes, classes, credits, SHA-256s
    images.npy      uint8 (N, H, W, 3)
    labels.npy      int64 (N,), -1 where an image has no label
    ids.csv         id, name (or path), label (class name)
    instances.npy   uint8 (N, H, W): 0 the background surface, i the i-th thing of that scene
    scenes.json     per image a list of {kind, name, group, color}; item 0 is the background
    latents.npy     (N, ...): what a generator drew the images from
    cues.csv        spurious cues: what is written on each image, and its box

Instances and scenes exist for worlds only (`"world": true`), latents for images of a generator. The
manifest is written last, so a folder without one is no data set. `Dataset.fingerprint` depends on
the content only.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from milan_core.core.arrays import read_npy
from milan_core.core.errors import UserError, reading, reads
from milan_core.core.files import canonical_json, file_sha256, read_csv, read_json, text_hash
from milan_core.core.options import parse
from milan_core.core.records import NAME as RECORD

FORMAT = "milan-dataset"
VERSION = 1

Scene = list[dict[str, str]]


class ManifestSpec(BaseModel):
    """The entry of the configuration that a data set was built from, as far as it is read."""

    options: dict[str, Any] = {}


class Manifest(BaseModel):
    """Keys that every manifest must have; further keys depend on the kind."""

    model_config = ConfigDict(strict=True)

    name: str
    kind: str
    world: bool
    count: int = Field(ge=0)
    height: int = Field(ge=0)
    width: int = Field(ge=0)
    classes: list[str]
    spec: ManifestSpec
    files: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.]+$")], str]


_SCENES = TypeAdapter(list[list[dict[str, str]]])


class Dataset:
    """An open data set folder; large arrays are memory-mapped."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        self.folder = folder
        self.manifest = manifest
        self.name: str = manifest["name"]
        self.kind: str = manifest["kind"]
        self.classes: list[str] = list(manifest["classes"])
        self.world: bool = manifest["world"]
        self.images = read_npy(folder / "images.npy", mmap=True)  # uint8 [N, H, W, 3]
        self.labels = read_npy(folder / "labels.npy")  # int64 [N]
        self.instances = self._instances()  # uint8 [N, H, W] or None
        latents = folder / "latents.npy"
        self.latents = read_npy(latents, mmap=True) if "latents.npy" in manifest["files"] else None

    def _instances(self) -> np.ndarray | None:
        return read_npy(self.folder / "instances.npy", mmap=True) if self.world else None

    def __len__(self) -> int:
        return int(self.manifest["count"])

    def __repr__(self) -> str:
        n, h, w = self.images.shape[:3]
        return f"Dataset({self.name!r}, {self.kind}, {n} images of {h} x {w})"

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits of the content of every file."""
        return text_hash(canonical_json(self.manifest["files"]), 64)

    @property
    def world_kind(self) -> str:
        """World of its scenes: its kind, or of a drawn data set the kind of the drawn scenes."""
        return str(self.manifest["spec"].get("options", {}).get("world", self.kind))

    @functools.cached_property
    def scenes(self) -> list[Scene] | None:
        """Per image its things (index = instance number), or None for plain images."""
        path = self.folder / "scenes.json"
        if not self.world:
            return None
        with reading(path, "a list of scenes", "build the data set again"):
            scenes = _SCENES.validate_python(read_json(path, "scenes"))
            if len(scenes) != len(self):
                raise ValueError(f"it has {len(scenes)} scenes of {len(self)} images")
        return scenes

    @functools.cached_property
    def names(self) -> list[str]:
        """A readable name or relative path per image."""
        path = self.folder / "ids.csv"
        names = [row["name"] for row in read_csv(path, ["id", "name", "label"])]
        if len(names) != len(self):
            raise UserError(f"{path} names {len(names)} of {len(self)} images; build it again")
        return names

    def require_world(self, what: str) -> tuple[np.ndarray, list[Scene]]:
        """Instance maps uint8 [N, H, W] and scenes; raises `UserError` that `what` needs them."""
        if self.instances is None or self.scenes is None:
            msg = (
                f"dataset {self.name!r} ({self.kind}) has no instance maps; {what} needs a dataset "
                "of kind stickers or shapes"
            )
            raise UserError(msg)
        return self.instances, self.scenes

    def verify(self) -> None:
        """Compare the SHA-256 of every file; raises `UserError` for the first that differs.

        Jobs and commands compare the folder with its record instead (`check_unrecorded`).
        """
        for file, expected in self.manifest["files"].items():
            path = self.folder / file
            if not path.is_file() or file_sha256(path) != expected:
                msg = f"{path} is missing or differs from its manifest; build it again"
                raise UserError(msg)


def _shape_error(dataset: Dataset) -> str:
    """Describe what does not fit the manifest; empty where everything does."""
    m = dataset.manifest
    n, h, w = m["count"], m["height"], m["width"]
    expected = [
        ("images.npy", dataset.images, (n, h, w, 3), np.uint8),
        ("labels.npy", dataset.labels, (n,), np.int64),
    ]
    if dataset.instances is not None:
        expected.append(("instances.npy", dataset.instances, (n, h, w), np.uint8))
    for file, array, shape, dtype in expected:
        if array.shape != shape or array.dtype != dtype:
            name = np.dtype(dtype).name
            return f"{file} is {array.dtype.name} {array.shape}, the manifest says {name} {shape}"
    if n and int(dataset.labels.max()) >= len(dataset.classes):
        return (
            f"labels.npy goes to {dataset.labels.max()}, there are {len(dataset.classes)} classes"
        )
    return ""


@reads("the folder of a data set", "build it again")
def open_dataset(folder: Path) -> Dataset:
    """Open a data set folder; checks format, version and shapes, not bytes (see `verify`)."""
    if not (folder / "manifest.json").is_file():
        msg = f"{folder} is not a dataset (no manifest.json); let the workflow build it"
        raise UserError(msg)
    manifest = read_json(folder / "manifest.json", "dataset manifest")
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        msg = f"{folder}/manifest.json does not describe a {FORMAT}"
        raise UserError(msg)
    if manifest.get("version") != VERSION:
        msg = (
            f"{folder}: dataset format version {manifest.get('version')}, this release reads "
            f"{VERSION}; build the dataset again"
        )
        raise UserError(msg)
    parse(Manifest, manifest, f"{folder / 'manifest.json'}")
    dataset = Dataset(folder, manifest)
    if problem := _shape_error(dataset):
        msg = f"{folder}: {problem}; build the dataset again"
        raise UserError(msg)
    return dataset


def check_unrecorded(folder: Path) -> int:
    """Compare the files of a data set folder without a record with its manifest.

    A folder that was copied or made by hand has no `provenance.json`; one that a step wrote is
    compared with its record instead.

    Returns:
        The number of files that were compared; 0 for another folder.

    Raises:
        UserError: for the first file that differs.

    """
    manifest = folder / "manifest.json"
    if (folder / RECORD).is_file() or not manifest.is_file():
        return 0
    with reading(manifest, "a dataset manifest"):
        facts = read_json(manifest, "dataset manifest")
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        return 0
    dataset = open_dataset(folder)
    dataset.verify()
    return len(dataset.manifest["files"])
