"""Options and drawing shared by the kinds of composed scenes."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, ValidationInfo, field_validator

from milan_core.core.errors import unknown
from milan_core.core.options import Name
from milan_core.images.kind import DatasetKind
from milan_core.world.lexicon import load_lexicon
from milan_core.world.options import NOTHING, PERSON, SceneOptions


class WorldOptions(SceneOptions):
    """Options of one world: names must be in its lexicon."""

    world: ClassVar[str]

    @field_validator("objects", "surfaces")
    @classmethod
    def _in_lexicon(cls, value: list[str], info: ValidationInfo) -> list[str]:
        lexicon = load_lexicon(cls.world)
        surfaces = info.field_name == "surfaces"
        known = [*lexicon.surfaces] if surfaces else [*lexicon.objects, PERSON, NOTHING]
        for name in value:
            if name not in known:
                raise unknown("surface" if surfaces else "object", name, known)
        return value


class Composed(DatasetKind):
    """A kind of composed scenes with exact ground truth."""

    has_truth: ClassVar[bool] = True

    options: SceneOptions
    seed: int = Field(0, description="Seed of the scenes; no two data sets should share one")
    twin_of: Name | None = Field(
        None, description="The same scenes as that data set, but for the options given here"
    )
