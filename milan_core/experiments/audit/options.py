"""Options of the audit: which networks are searched for units that match a query (section 6)."""

from __future__ import annotations

from pydantic import Field

from milan_core.core.inputs import InputPath
from milan_core.core.options import Name, Section
from milan_core.scoring.options import Query


class Pair(Section):
    """Two networks that differ in one thing, such as training images with faces blurred."""

    name: Name = Field(description="Name of the pair in tables and figures")
    original: Name = Field(description="Network trained on the images as they are")
    changed: Name = Field(description="Network trained on the changed images")


class AuditedNetwork(Section):
    """One audited network as the job sees it."""

    name: Name
    dataset: Name = Field(description="Its probe data set")
    has_truth: bool = Field(False, description="Its probe images have ground truth")


class AuditChoice(Section):
    """The settings that the configuration and the jobs share."""

    pairs: list[Pair] = Field([], description="Networks to compare; paper figure 5")
    detector: bool = Field(True, description="Run detectors as a second opinion, labelled as such")


class AuditOptions(AuditChoice):
    """The settings of the jobs."""

    networks: list[AuditedNetwork] = Field(min_length=1, description="In the order of the files")
    queries: dict[Name, Query] = Field(min_length=1, description="Queries by name")


class AuditSpec(AuditChoice):
    """Counts of units whose description matches a query, with a review sheet for people."""

    models: list[Name] = Field([], description="Networks to audit outside of pairs")
    queries: list[Name] = Field(["faces"], min_length=1, description="Names of queries")
    own_queries: dict[Name, Query] = Field({}, description="Queries beside the shipped ones")
    review: InputPath | None = Field(
        None, description="Answers saved by the review sheet (CSV or JSON), to count again from"
    )
