"""Spurious cues: a word or a colored square in a corner of an image."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont
from pydantic import Field, field_validator, model_validator

from milan_core.core.contents import path_digest
from milan_core.core.errors import UserError
from milan_core.core.inputs import HandledPath
from milan_core.images.options import PictureOptions
from milan_core.world.bank import font_folder

PADDING = 2  # pixels between a word and the edge of its box


class CueOptions(PictureOptions):
    """The text and the look of a cue."""

    classes: list[str] = Field(min_length=2, description="Names of the class folders")
    words: list[str] = Field(
        [], description="What is written for each class; []: the names of the folders"
    )
    cue: Literal["text", "colour"] = Field(
        "text", description="text, or colour: a square in the class's color"
    )
    corner: Literal["top-left", "top-right", "bottom-left", "bottom-right"] = Field(
        "top-left", description="Where the cue lies"
    )
    margin: int = Field(4, ge=0, description="Pixels between the cue and the edges")
    font: HandledPath = Field(
        "DejaVuSans-Bold.ttf", description="A font that comes with matplotlib, or a file"
    )
    font_size: int = Field(24, ge=4, description="Pixels; also the side of the colored square")
    colour: str = Field("white", description="Color of the text: a CSS name or #rrggbb")
    box: str = Field("black", description="Color behind the text")
    box_opacity: float = Field(0.5, ge=0, le=1, description="0: no box behind the text")
    colours: list[str] = Field(
        [
            *("red", "yellow", "green", "blue", "cyan", "purple", "brown", "black", "white"),
            "gray",
        ],
        description="cue colour: color of each class",
    )

    @field_validator("classes")
    @classmethod
    def _different(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            message = "expected different class folders"
            raise ValueError(message)
        return value

    @field_validator("colour", "box")
    @classmethod
    def _is_color(cls, value: str) -> str:
        rgb(value)
        return value

    @model_validator(mode="after")
    def _fits_classes(self) -> CueOptions:
        count = len(self.classes)
        if self.words and not len(set(self.words)) == len(self.words) == count:
            message = f"words: expected {count} different words, or none, got {self.words}"
            raise ValueError(message)
        different = len(set(self.colours)) == len(self.colours)
        if self.cue == "colour" and not (different and len(self.colours) >= count):
            message = f"colours: expected {count} different colors or more, got {self.colours}"
            raise ValueError(message)
        return self

    def further_contents(self) -> Iterator[str]:
        """The font, where one is read: yours, or the one that comes with matplotlib."""
        if self.cue == "text":
            yield path_digest(str(font_file(self.font)))

    @property
    def says_by_class(self) -> list[str]:
        """The text of each class's cue: its word, or the name of its color."""
        if self.cue == "colour":
            return self.colours[: len(self.classes)]
        return self.words or [name.replace("_", " ") for name in self.classes]


class Box(NamedTuple):
    """Pixels of a cue; left and top are inside, right and bottom outside."""

    left: int
    top: int
    right: int
    bottom: int


class CuePainter:
    """Paints cues on images of one size; raises `UserError` for a cue that does not fit."""

    def __init__(self, spec: CueOptions) -> None:
        self.spec = spec
        self._ink = rgb(spec.colour)
        self._ground = rgb(spec.box)
        self._patches = {says: self._patch(says) for says in spec.says_by_class}

    def box(self, says: str) -> Box:
        """Box of the cue."""
        height, width = self._patches[says].shape[:2]
        spec = self.spec
        vertical, horizontal = spec.corner.split("-")
        left = spec.margin if horizontal == "left" else spec.size - spec.margin - width
        top = spec.margin if vertical == "top" else spec.size - spec.margin - height
        return Box(left, top, left + width, top + height)

    def paint(self, pixels: np.ndarray, says: str) -> np.ndarray:
        """A copy of uint8 (size, size, 3) with the cue, in integer arithmetic."""
        box, patch = self.box(says), self._patches[says].astype(np.uint16)
        painted = pixels.copy()
        under = painted[box.top : box.bottom, box.left : box.right]
        alpha = patch[..., 3:]
        under[...] = (under * (255 - alpha) + patch[..., :3] * alpha + 127) // 255
        return painted

    def _patch(self, says: str) -> np.ndarray:
        """The cue as uint8 RGBA (h, w, 4)."""
        if self.spec.cue == "colour":
            colour = rgb(says)
            patch = np.full((self.spec.font_size, self.spec.font_size, 4), 255, np.uint8)
            patch[..., :3] = colour
        else:
            patch = self._word(says)
        free = self.spec.size - 2 * self.spec.margin
        if max(patch.shape[:2]) > free:
            msg = (
                f"the cue {says!r} takes {patch.shape[1]} x {patch.shape[0]} pixels, "
                f"the image has {free}; lower font_size or margin, or shorten the word"
            )
            raise UserError(msg)
        return patch

    def _word(self, text: str) -> np.ndarray:
        font = load_font(self.spec.font, self.spec.font_size)
        left, _, right, _ = (round(value) for value in font.getbbox(text))
        ascent, descent = font.getmetrics()
        size = (right - left + 2 * PADDING, ascent + descent + 2 * PADDING)
        letters = Image.new("L", size, 0)
        ImageDraw.Draw(letters).text((PADDING - left, PADDING), text, font=font, fill=255)
        ink = np.asarray(letters, np.float64)[..., None] / 255
        ground = self.spec.box_opacity
        alpha = ink + ground * (1 - ink)  # letters over the box
        mixed = ink * self._ink + ground * (1 - ink) * self._ground
        colour = mixed / np.maximum(alpha, 1e-9)
        return np.rint(np.concatenate([colour, alpha * 255], 2)).astype(np.uint8)


def rgb(name: str) -> np.ndarray:
    """A color by name or as #rrggbb: float64 (3,), 0 to 255."""
    try:
        return np.array(ImageColor.getrgb(name)[:3], np.float64)
    except ValueError:
        msg = f"unknown color {name!r}; give a CSS name or #rrggbb"
        raise UserError(msg) from None


def font_file(font: str) -> Path:
    """A font file of the user's, or one of matplotlib by its name."""
    path = Path(font).expanduser()
    return path if path.is_file() else font_folder() / font


@functools.cache
def load_font(font: str, size: int) -> ImageFont.FreeTypeFont:
    """A font file, or a font of matplotlib by file name; basic layout, equal on all machines."""
    try:
        return ImageFont.truetype(str(font_file(font)), size, layout_engine=ImageFont.Layout.BASIC)
    except OSError:
        bundled = sorted(item.name for item in font_folder().glob("DejaVu*.ttf"))
        msg = f"no font {font!r}; give a file, or one of {', '.join(bundled)}"
        raise UserError(msg) from None
