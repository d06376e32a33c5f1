"""Find image files, convert them to RGB, and resize them as torchvision does."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from milan_core.core.errors import UserError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def find_images(folder: Path) -> list[Path]:
    """Relative paths of all images below `folder`, sorted; links to folders are followed once."""
    if not folder.is_dir():
        msg = f"image folder not found: {folder}"
        raise UserError(msg)
    paths, seen = [], set()
    for root, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths += [
            Path(root, name).relative_to(folder)
            for name in files
            if name.lower().endswith(EXTENSIONS) and not name.startswith(".")
        ]
    if not paths:
        msg = f"no images in {folder}: looked for {', '.join(EXTENSIONS)} at any depth"
        raise UserError(msg)
    return sorted(paths, key=lambda path: path.parts)


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode as upright RGB: EXIF orientation applied, alpha over white, 16-bit gray scaled."""
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
    """Shorter side to `shorter` (bilinear), center crop: uint8 (size, size, 3), as torchvision."""
    width, height = image.size
    if width <= height:
        target = (shorter, int(shorter * height / width))
    else:
        target = (int(shorter * width / height), shorter)
    image = image.resize(target, Image.Resampling.BILINEAR)
    left, top = round((image.width - size) / 2), round((image.height - size) / 2)
    return np.asarray(image.crop((left, top, left + size, top + size)))


def squash_crop(image: Image.Image, side: int, size: int) -> np.ndarray:
    """Both sides to `side` (bilinear, the shape is lost), center crop: uint8 (size, size, 3)."""
    image = image.resize((side, side), Image.Resampling.BILINEAR)
    start = round((side - size) / 2)
    return np.asarray(image.crop((start, start, start + size, start + size)))
