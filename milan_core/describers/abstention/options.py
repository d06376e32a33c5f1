"""Options of abstention; nothing heavy is imported here."""

from __future__ import annotations

from pydantic import Field

from milan_core.core.options import Section


class AbstentionOptions(Section):
    """When a unit has no reliable description."""

    alpha: float = Field(
        0.05, gt=0, lt=1, description="Share of units that may be answered wrongly, at most"
    )
