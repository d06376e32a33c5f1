"""Options of the report."""

from __future__ import annotations

from pydantic import Field

from milan_core.core.options import Section


class ReportRun(Section):
    """The report's title, and what its overview says of how to read it."""

    title: str = Field("Descriptions of neurons", description="Heading of the overview")
    notice: str = Field("", description="Printed on every page")
    atlas: str = Field("", description="Address of the atlas, from a page")
    sets: list[str] = Field([], description="Annotation sets that are described and scored")
    scored: bool = Field(False, description="Descriptions of this run are scored")
    judged: bool = Field(False, description="Networks of this run have known concepts")
