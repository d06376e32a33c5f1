"""What a spurious cue looks like: a word or a coloured square in a corner, within its box."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from milan_core.core.errors import UserError
from milan_core.images.options import SpuriousSpec
from milan_core.world.bank import font_folder

PADDING = 2  # pixels between a word and the edge of its box


class Box(NamedTuple):
    """Pixels that a cue may change: left and top inside, right and bottom outside."""

    left: int
    top: int
    right: int
    bottom: int


class CuePainter:
    """Paints cues on images of one size; raises `UserError` for what cannot be painted."""

    def __init__(self, spec: SpuriousSpec) -> None:
        self.spec = spec
        self._ink = rgb(spec.colour, "colour")
        self._ground = rgb(spec.box, "box")
        self._patches = {says: self._patch(says) for says in spec.says_by_class}

    def box(self, says: str) -> Box:
        """Where the cue lies."""
        height, width = self._patches[says].shape[:2]
        spec = self.spec
        vertical, horizontal = spec.corner.split("-")
        left = spec.margin if horizontal == "left" else spec.size - spec.margin - width
        top = spec.margin if vertical == "top" else spec.size - spec.margin - height
        return Box(left, top, left + width, top + height)

    def paint(self, pixels: np.ndarray, says: str) -> np.ndarray:
        """A copy of uint8 (size, size, 3) with the cue; integer arithmetic, the same everywhere."""
        box, patch = self.box(says), self._patches[says].astype(np.uint16)
        painted = pixels.copy()
        under = painted[box.top : box.bottom, box.left : box.right]
        alpha = patch[..., 3:]
        under[...] = (under * (255 - alpha) + patch[..., :3] * alpha + 127) // 255
        return painted

    def _patch(self, says: str) -> np.ndarray:
        """The cue as uint8 (h, w, 4)."""
        if self.spec.cue == "colour":
            colour = rgb(says, "colours")
            patch = np.full((self.spec.font_size, self.spec.font_size, 4), 255, np.uint8)
            patch[..., :3] = colour
        else:
            patch = self._word(says)
        free = self.spec.size - 2 * self.spec.margin
        if max(patch.shape[:2]) > free:
            msg = (
                f"dataset spec: the cue {says!r} takes {patch.shape[1]} x {patch.shape[0]} pixels, "
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


def rgb(name: str, key: str) -> np.ndarray:
    """A colour by name or as #rrggbb: float (3,)."""
    try:
        return np.array(ImageColor.getrgb(name)[:3], np.float64)
    except ValueError:
        msg = f"dataset spec: {key}: unknown colour {name!r}; give a CSS name or #rrggbb"
        raise UserError(msg) from None


@functools.cache
def load_font(font: str, size: int) -> ImageFont.FreeTypeFont:
    """A bundled font by its file name, or a font file; the basic layout is the same everywhere."""
    path = Path(font).expanduser()
    path = path if path.is_file() else font_folder() / font
    try:
        return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
    except OSError:
        bundled = sorted(item.name for item in font_folder().glob("DejaVu*.ttf"))
        msg = f"dataset spec: font: no font {font!r}; give a file, or one of {', '.join(bundled)}"
        raise UserError(msg) from None
