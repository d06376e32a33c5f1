"""Options of the atlas."""

from __future__ import annotations

from pydantic import Field

from milan_core.core.options import Section


class AtlasNetwork(Section):
    """One network of the atlas, and the roles of its files (`milan_core.atlas.files`)."""

    name: str = Field(description="Name in the atlas")
    dataset: str = Field(description="Name of its probe data set")
    is_encoder: bool = Field(False, description="It is the encoder of the captioner too")
    is_student: bool = Field(False, description="It learned the features of that encoder")
    weight: float = Field(0.2, description="Lambda of the descriptions")
    roles: list[str] = Field(description="What each of its files is, in the order of the files")


class AtlasRun(Section):
    """The title of an atlas and its networks."""

    title: str = Field("Descriptions of neurons", description="Heading of the overview")
    notice: str = Field("", description="Printed on every page")
    networks: list[AtlasNetwork] = Field(description="In the order of the pages")
    names: dict[str, str] = Field({}, description="Names of describers for people")
    scored: bool = Field(False, description="Descriptions of this run are scored")
    sets: list[str] = Field([], description="Annotation sets that are described and scored")
