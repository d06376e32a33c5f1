"""Options of data sets: what all kinds share, and how pictures come to one size."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)

from milan_core.core.options import Section


class KindOptions(Section):
    """Options of one kind of data set; values of another type are refused, not converted."""

    model_config = ConfigDict(strict=True)


class PictureOptions(KindOptions):
    """The resizing of pictures that are read.

    `crop` and `squash` are the two published ways: Resize 256 of the shorter side and CenterCrop
    224, and Resize (224, 224) (paper, probe data sets).
    """

    size: int = Field(224, ge=1, le=4096, description="Height and width of the stored images")
    resize: int = Field(
        0,
        ge=0,
        description="Side before the center crop; 0: size * 256 / 224, or size with squash",
    )
    geometry: Literal["crop", "squash", "keep"] = Field(
        "crop",
        description="crop: shorter side to `resize`, then center crop; squash: both sides to "
        "`resize`, then center crop; keep: all pictures have one size, which stays",
    )
    upright: bool = Field(
        True, description="Apply EXIF rotation and lay alpha over white; false: as published"
    )
    count: int = Field(0, ge=0, description="So many images, drawn with the seed; 0: all")
    on_error: Literal["stop", "skip"] = Field(
        "stop", description="What to do with an image that cannot be read"
    )
    range: list[float] | None = Field(
        None,
        min_length=2,
        max_length=2,
        description="Values of gray pictures with more than 8 bits that become black and white; "
        "null: 0 and 1 for floats, 0 and 65535 for integers (255 where none is above)",
    )

    @field_validator("resize")
    @classmethod
    def _not_below_size(cls, value: int, info: object) -> int:
        size = getattr(info, "data", {}).get("size", 0)
        if value and value < size:
            message = f"expected 0 or at least size ({size})"
            raise ValueError(message)
        return value

    @field_validator("range")
    @classmethod
    def _rises(cls, value: list[float] | None) -> list[float] | None:
        if value and not value[0] < value[1]:
            message = "expected [low, high] with low below high"
            raise ValueError(message)
        return value

    @model_serializer(mode="wrap")
    def _known_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without `range` where it is null, as it was before there was this key."""
        values = dict(handler(self))
        if values.get("range") is None:
            values.pop("range", None)
        return values

    @property
    def before_crop(self) -> int:
        """The shorter side, or with `squash` both sides, that images are resized to."""
        usual = self.size if self.geometry == "squash" else round(self.size * 256 / 224)
        return self.resize or usual
