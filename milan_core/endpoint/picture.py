"""A picture of a question: known by its pixels, so that no encoder's version changes its name."""

from __future__ import annotations

import base64
import functools
import hashlib
import io

import numpy as np


class Picture:
    """An RGB picture.

    Args:
        pixels: uint8 (H, W, 3).

    """

    def __init__(self, pixels: np.ndarray) -> None:
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"expected uint8 (H, W, 3), got {pixels.dtype} {pixels.shape}")
        self.pixels = pixels

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of height, width and pixels, as 64 hexadecimal digits."""
        size = f"{self.pixels.shape[0]}x{self.pixels.shape[1]}:".encode()
        return hashlib.sha256(size + np.ascontiguousarray(self.pixels).tobytes()).hexdigest()

    def data_url(self) -> str:
        """The picture as a PNG file in an address."""
        from PIL import Image

        out = io.BytesIO()
        Image.fromarray(self.pixels).save(out, "PNG")
        return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")

    def __eq__(self, other: object) -> bool:
        """Whether size and pixels are the same."""
        return isinstance(other, Picture) and self.digest == other.digest

    def __hash__(self) -> int:
        """By size and pixels."""
        return hash(self.digest)
