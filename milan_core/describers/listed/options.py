"""Options of the list of further describers."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from milan_core.core.options import Name, Section


class ListedDescriber(Section):
    """One more describer, run on the exemplars of networks and scored beside the others."""

    describer: str = Field(
        description="Name of a describer, or `module:Class` or `file.py:Class` of your own"
    )
    options: dict[str, Any] = Field({}, description="Its options, as `milan describe --options`")
    judge: bool = Field(
        False,
        description="An own describer gets the judge trained here, which then does not score it; "
        "built-in ones get it where they read one",
    )
    models: list[Name] = Field([], description="Networks to describe; empty takes all of `models`")
