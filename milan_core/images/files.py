"""Images of the user's: find them, bring them to one size, and transforms written as data."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from milan_core.core.errors import UserError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


@dataclass(frozen=True)
class InputSpec:
    """How uint8 images become a network's input: resize, to [0, 1], subtract mean, divide by std.

    `resize` is how an image of another size comes to `size`: `bilinear`, or `none` when the
    network takes any size.
    """

    size: int
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    resize: str = "bilinear"

    def __post_init__(self) -> None:
        if self.size < 1 or min(self.std) <= 0:
            msg = f"input spec: size and std must be positive, got {self}"
            raise UserError(msg)
        if self.resize not in ("bilinear", "none"):
            msg = f"input spec: resize must be bilinear or none, got {self.resize!r}"
            raise UserError(msg)


def find_images(folder: Path) -> list[Path]:
    """Relative paths of all images below `folder`, sorted; follows links to folders once."""
    if not folder.is_dir():
        msg = f"image folder not found: {folder}"
        raise UserError(msg)
    found, seen = [], set()
    for root, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(root, name).relative_to(folder)
            for name in files
            if name.lower().endswith(EXTENSIONS) and not name.startswith(".")
        ]
    if not found:
        msg = f"no images in {folder}: looked for {', '.join(EXTENSIONS)} at any depth"
        raise UserError(msg)
    return sorted(found, key=lambda path: path.parts)


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode as upright RGB: EXIF orientation applied, alpha over white, 16-bit grey scaled."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):  # converting these would clip at 255
        values = np.asarray(image, dtype=np.float64)
        top = max(255.0, 65535.0 if values.max(initial=0) > 255 else 255.0)
        image = Image.fromarray(np.clip(values * (255 / top), 0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image)
    return image.convert("RGB")


def resize_crop(image: Image.Image, shorter: int, size: int) -> np.ndarray:
    """Shorter side to `shorter` (bilinear), centre crop: uint8 (size, size, 3), as torchvision."""
    width, height = image.size
    if width <= height:
        target = (shorter, int(shorter * height / width))
    else:
        target = (int(shorter * width / height), shorter)
    image = image.resize(target, Image.Resampling.BILINEAR)
    left, top = round((image.width - size) / 2), round((image.height - size) / 2)
    return np.asarray(image.crop((left, top, left + size, top + size)))


def squash_crop(image: Image.Image, side: int, size: int) -> np.ndarray:
    """Both sides to `side` (bilinear, the shape is lost), centre crop: uint8 (size, size, 3)."""
    image = image.resize((side, side), Image.Resampling.BILINEAR)
    start = round((side - size) / 2)
    return np.asarray(image.crop((start, start, start + size, start + size)))
