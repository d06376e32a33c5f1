"""Options of composed scenes. Lengths are pixels of a 64-pixel scene; larger scenes scale them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from milan_core.images.options import KindOptions

PERSON = "person"  # the class of scenes whose main object is a portrait
NOTHING = "nothing"  # the class of scenes without a main object

Sizes = Annotated[tuple[int, int], Field(strict=False)]
Rule = Literal["any", "label", "wrong"]


class SceneOptions(KindOptions):
    """The content of composed scenes; a world adds its drawing styles."""

    count: int = Field(1000, ge=1, description="Scenes")
    size: int = Field(64, ge=16, le=512, description="Height and width")
    style: str = Field("", description="Drawing style of the objects; '': the first")
    label: Literal["object", "surface"] = Field("object", description="Class of a scene")
    objects: list[str] = Field(
        [], description="Main objects to draw from, may hold person and nothing; []: all objects"
    )
    surfaces: list[str] = Field([], description="Surfaces to draw from; []: all")
    distractors: int = Field(
        2, ge=0, le=50, description="At most so many small objects (of all objects) beside"
    )
    p_face: float = Field(
        0.2, ge=0, le=1, description="Chance of a portrait beside the main object"
    )
    portraits: Literal["train", "test", "all"] = Field("all", description="Which portraits")
    portrait_seed: int = Field(0, description="Seed of the train/test split of the portraits")
    blur_faces: bool = Field(False, description="The same scenes with every portrait blurred")
    p_text: float = Field(0.15, ge=0, le=1, description="Chance of a written word")
    text: Rule = Field("any", description="Any word, the true label, or a wrong label")
    lettering: int = Field(
        -1,
        ge=-1,
        description="Seed of font, size and ink of the words; -1: that of the scenes. Data sets "
        "with one number share them",
    )
    p_tint: float = Field(
        0.0, ge=0, le=1, description="Chance that the surface is tinted in one of ten colors"
    )
    tint: Rule = Field("any", description="Any color, that of the true label, or of a wrong one")
    main_size: Sizes = Field((28, 44), description="Main object: smallest, largest")
    small_size: Sizes = Field((14, 24), description="Small objects: smallest, largest")
    face_size: Sizes = Field((22, 38), description="Portraits: smallest, largest")
    text_size: Sizes = Field((11, 15), description="Words: smallest, largest")
    noise: float = Field(
        0.0, ge=0, le=255, description="Standard deviation of pixel noise, gray levels"
    )

    @field_validator("main_size", "small_size", "face_size", "text_size")
    @classmethod
    def _rising(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 4 <= value[0] <= value[1] <= 64:
            message = "expected [smallest, largest] within 4 and 64"
            raise ValueError(message)
        return value

    @field_validator("objects", "surfaces")
    @classmethod
    def _different(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            message = "expected names without repetition"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _has_wrong_labels(self) -> SceneOptions:
        if self.tint == "wrong" and len(self.objects) == 1:
            message = "tint: wrong needs several object classes; got one"
            raise ValueError(message)
        if self.text == "wrong" and (self.label != "object" or len(self.objects) == 1):
            message = "text: wrong needs `label: object` and several object classes"
            raise ValueError(message)
        return self
