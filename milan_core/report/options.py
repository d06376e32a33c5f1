"""Options of the report."""

from __future__ import annotations

from pydantic import Field

from milan_core.core.options import Section


class ReportNetwork(Section):
    """One network of the report; of an annotated one there are annotations and ground truth."""

    name: str = Field(description="Name in tables and of its page")
    dataset: str = Field(description="Name of its probe data set")
    is_encoder: bool = Field(False, description="It is the encoder of the captioner too")
    is_student: bool = Field(False, description="It learned the features of that encoder")
    annotated: bool = Field(False, description="It has annotations and ground truth")
    trained: bool = Field(False, description="Its own accuracy was measured in this run")


class ReportRun(Section):
    """The report's title and networks."""

    title: str = Field("Descriptions of neurons", description="Heading of the overview")
    notice: str = Field("", description="Printed on every page")
    networks: list[ReportNetwork] = Field(description="Networks with a page each, in this order")
    sets: list[str] = Field([], description="Annotation sets that are described and scored")
    scored: bool = Field(False, description="Descriptions of this run are scored")
    columns: int = Field(5, ge=1, description="Exemplars side by side on the sheet of a unit")
