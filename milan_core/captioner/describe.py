"""Descriptions of mined exemplars with the captioner's encoder, without files."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from milan_core.captioner.descriptions import COLUMNS, Descriptions, description_rows
from milan_core.captioner.encoder import encoder_of, exemplar_features
from milan_core.captioner.features.encoder import Encoder
from milan_core.captioner.options import DecodingOptions
from milan_core.captioner.reading import Recorded, decoding_of
from milan_core.core.errors import UserError
from milan_core.core.units import UnitKey
from milan_core.exemplars.store import ExemplarSet


class Decodes(Recorded, Protocol):
    """A captioner, as far as this file needs it."""

    @property
    def decode(self) -> Any:
        """See `Captioner.decode`."""


def decode(captioner: Decodes, features: np.ndarray, options: DecodingOptions) -> Descriptions:
    """Decode with options of the configuration; too wide a beam is narrowed."""
    result: Descriptions = captioner.decode(features, clamp_beam=True, **options.model_dump())
    return result


def describe_exemplars(
    captioner: Decodes,
    exemplars: ExemplarSet,
    images: np.ndarray | None = None,
    layer: str | None = None,
    options: DecodingOptions | None = None,
    device: str = "cpu",
    encoder: Encoder | None = None,
    trust: bool = False,
) -> list[dict[str, Any]]:
    """One row per unit: layer, unit, description, logp, logp_lm, score.

    Units that show nothing (`milan_core.exemplars.status`) have empty cells; where there are some,
    `status` says why.

    Args:
        captioner: one trained by this workflow, or a published one with its encoder.
        exemplars: a whole set.
        images: uint8 (N, H, W, 3), RGB, the images that were mined; not needed when the set was
            mined from such an array in this process.
        layer: one layer, or None for all.
        options: of decoding; a published captioner brings its own strategy and numbers for the
            fields that are not set.
        device: where the encoder runs.
        encoder: the captioner's (`encoder_of`); loaded where it is not given.
        trust: run the code that the captioner's file names (`networks.shipped`).

    Raises:
        UserError: without images, or with a captioner whose encoder is unknown.

    """
    pixels = mined_images(exemplars, images)
    encoder = encoder or encoder_of(captioner, device, trust=trust)
    layers = exemplars.layers if layer is None else [layer]
    features = exemplar_features(captioner, encoder, pixels, exemplars, layers)
    keys: list[UnitKey] = [(name, unit) for name in layers for unit in range(exemplars.units[name])]
    described = decode(captioner, features, decoding_of(captioner, options))
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in description_rows(keys, described)]
    silent = exemplars.silent()
    for key, row in zip(keys, rows, strict=True):
        if key in silent:
            row.update(dict.fromkeys(COLUMNS[2:], ""))
        if silent:
            row["status"] = silent.get(key, "")
    return rows


def mined_images(exemplars: ExemplarSet, images: np.ndarray | None = None) -> np.ndarray:
    """The images that exemplars were mined from: uint8 (N, H, W, 3), RGB.

    Args:
        exemplars: a whole set.
        images: None takes those that the set was mined from in this process.

    Raises:
        UserError: there are none, or they have another form.

    """
    pixels = exemplars.images if images is None else images
    if pixels is None or pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3:
        got = "none" if pixels is None else f"{pixels.dtype} {pixels.shape}"
        message = (
            f"describing needs the mined images as uint8 (N, H, W, 3), got {got}; give images="
        )
        raise UserError(message)
    return pixels
