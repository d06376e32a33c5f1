"""Options of several labels."""

from __future__ import annotations

from pydantic import Field

from milan_core.core.options import Section


class SeveralOptions(Section):
    """When a unit gets another label (docs/several.md)."""

    most: int = Field(5, ge=1, description="Labels of a unit")
    gain: float = Field(
        0.015, ge=0, le=1, description="Correlation of the list that another label must add"
    )
