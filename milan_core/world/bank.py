"""Variants of surfaces, objects, portraits and words, which scenes are pasted from.

`Art` draws the originals (real stickers or drawn shapes); `Bank` makes scaled, turned and flipped
variants on first use. A variant depends on the seed, its name and its number only, not on earlier
calls. Style and blur take no random numbers, so options that differ only in them give the same
scenes otherwise.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image, ImageFilter, ImageFont
from PIL.ImageDraw import Draw

from milan_core.core.packages import absent
from milan_core.core.seeding import generator
from milan_core.world.lexicon import Lexicon
from milan_core.world.options import SceneOptions

SURFACE_VARIANTS, SPRITE_VARIANTS, FACE_VARIANTS, WORD_VARIANTS = 48, 24, 4, 16
BLUR = 9  # blur radius = height of the portrait / BLUR
TRAIN_SHARE = 0.76  # of the portraits
FONTS = ("DejaVuSans-Bold.ttf", "DejaVuSerif-Bold.ttf", "DejaVuSansMono-Bold.ttf")
INKS = ((255, 255, 255), (0, 0, 0), (255, 240, 0), (230, 0, 0), (0, 0, 200))
BILINEAR = Image.Resampling.BILINEAR


class Art(Protocol):
    """A source of pictures. Names are in the lexicon, except those of portraits."""

    @property
    def lexicon(self) -> Lexicon:
        """The lexicon of the world."""

    @property
    def portraits(self) -> Sequence[str]:
        """Names of the faces."""

    @property
    def credits(self) -> Sequence[Mapping[str, str]]:
        """Name, license and credit of each source."""

    def sprite(self, name: str, rng: np.random.Generator) -> Image.Image:
        """An upright object on a transparent square, RGBA."""

    def surface(self, name: str, size: int, rng: np.random.Generator) -> Image.Image:
        """A size x size piece of a surface, RGB."""

    def portrait(self, name: str) -> Image.Image:
        """A face on a transparent square, RGBA."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A variant to paste."""

    pixels: np.ndarray  # uint8 [h, w, 3] (surface) or [h, w, 4]
    colour: str  # name of the mean color


def font_folder() -> Path:
    """Folder of the fonts of matplotlib, which is not imported."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or not spec.submodule_search_locations:
        raise absent("matplotlib", "workflow", "to write words into scenes, for its fonts,")
    return Path(next(iter(spec.submodule_search_locations))) / "mpl-data" / "fonts" / "ttf"


@functools.cache
def _font(file: str, size: int) -> ImageFont.FreeTypeFont:
    """A font with the basic layout engine, which is the same on every machine."""
    path = str(font_folder() / file)
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def split_portraits(names: Sequence[str], which: str, seed: int) -> list[str]:
    """Portraits of the `train` or `test` part, or all; depends on names and seed only."""
    ordered = sorted(names)
    if which == "all":
        return ordered
    order = generator(seed, "portraits").permutation(len(ordered))
    cut = round(TRAIN_SHARE * len(ordered))
    chosen = order[:cut] if which == "train" else order[cut:]
    return [ordered[i] for i in sorted(chosen.tolist())]


def blurred(image: Image.Image) -> Image.Image:
    """A portrait with its features blurred and its outline unchanged."""
    alpha = image.getchannel("A")
    mean = np.asarray(image.convert("RGB"))[np.asarray(alpha) > 127].mean(0)
    flat = Image.new("RGB", image.size, tuple(np.rint(mean).astype(int).tolist()))
    flat.paste(image.convert("RGB"), mask=alpha)  # keeps the transparent corners from bleeding in
    soft = flat.filter(ImageFilter.GaussianBlur(image.height / BLUR))
    soft.putalpha(alpha)
    return soft


def turned(image: Image.Image, size: int, angle: float, flip: bool) -> Image.Image:
    """`image` scaled to size x size, mirrored if `flip`, and turned; the canvas grows."""
    small = image.resize((size, size), BILINEAR)
    if flip:
        small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return small.rotate(angle, BILINEAR, expand=True)


class Bank:
    """Variants of one art for given options and seed."""

    def __init__(self, art: Art, spec: SceneOptions, seed: int) -> None:
        self.art, self.spec, self.seed = art, spec, seed
        self.scale = spec.size / 64
        self.faces = split_portraits(art.portraits, spec.portraits, spec.portrait_seed)
        for kind in ("surface", "sprite", "face", "word"):
            make = functools.cache(getattr(self, f"_{kind}"))
            setattr(self, f"_{kind}", make)  # one cache per bank

    def surface(self, name: str, rng: np.random.Generator) -> Piece:
        """A variant of a surface, uint8 (size, size, 3)."""
        return self._surface(name, int(rng.integers(SURFACE_VARIANTS)))

    def sprite(self, name: str, sizes: tuple[int, int], rng: np.random.Generator) -> Piece:
        """A variant of an object between two sizes, uint8 (h, w, 4)."""
        return self._sprite(name, sizes, int(rng.integers(SPRITE_VARIANTS)))

    def face(self, rng: np.random.Generator) -> Piece:
        """A variant of a portrait, uint8 (h, w, 4)."""
        return self._face(int(rng.integers(len(self.faces))), int(rng.integers(FACE_VARIANTS)))

    def word(self, text: str, rng: np.random.Generator) -> Piece:
        """A word in one of its 16 variants (font, size, ink), uint8 (h, w, 4)."""
        return self._word(text, int(rng.integers(WORD_VARIANTS)))

    def _pixels(self, low: int, high: int, rng: np.random.Generator) -> int:
        return max(4, round(int(rng.integers(low, high + 1)) * self.scale))

    def _piece(self, pixels: np.ndarray) -> Piece:
        inside = pixels[..., 3] > 127 if pixels.shape[2] == 4 else np.ones(pixels.shape[:2], bool)
        mean = pixels[inside][:, :3].mean(0) if inside.any() else np.zeros(3)
        return Piece(pixels, self.art.lexicon.colour(mean))

    def _surface(self, name: str, number: int) -> Piece:
        rng = generator(self.seed, "surface", name, number)
        image = self.art.surface(name, self.spec.size, rng)
        light = np.asarray(image, dtype=np.float32) * np.float32(rng.uniform(0.75, 1.2))
        return self._piece(np.clip(np.rint(light), 0, 255).astype(np.uint8))

    def _sprite(self, name: str, sizes: tuple[int, int], number: int) -> Piece:
        rng = generator(self.seed, "sprite", name, *sizes, number)
        size = self._pixels(*sizes, rng)
        angle, flip = float(rng.uniform(-20, 20)), bool(rng.integers(2))
        return self._piece(np.asarray(turned(self.art.sprite(name, rng), size, angle, flip)))

    def _face(self, which: int, number: int) -> Piece:
        name = self.faces[which]
        rng = generator(self.seed, "face", name, number)
        size = self._pixels(*self.spec.face_size, rng)
        angle, flip = float(rng.uniform(-10, 10)), bool(rng.integers(2))
        image = self.art.portrait(name)
        image = blurred(image) if self.spec.blur_faces else image
        return self._piece(np.asarray(turned(image, size, angle, flip)))

    def _word(self, text: str, number: int) -> Piece:
        seed = self.seed if self.spec.lettering < 0 else self.spec.lettering
        rng = generator(seed, "word", text, number)
        file = FONTS[int(rng.integers(len(FONTS)))]
        font = _font(file, self._pixels(*self.spec.text_size, rng))
        ink = INKS[int(rng.integers(len(INKS)))]
        edge = (0, 0, 0) if sum(ink) > 250 else (255, 255, 255)
        left, top, right, bottom = (round(v) for v in font.getbbox(text))
        image = Image.new("RGBA", (right - left + 4, bottom - top + 4), (*edge, 0))
        spot = (2 - left, 2 - top)
        Draw(image).text(spot, text, font=font, fill=ink, stroke_width=1, stroke_fill=edge)
        if image.width > self.spec.size:
            image = image.resize((self.spec.size, image.height), BILINEAR)
        return Piece(np.asarray(image), self.art.lexicon.colour(ink))
