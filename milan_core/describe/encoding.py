"""From exemplars to descriptions with the captioner's own encoder: the part without files.

The captioner remembers which encoder made its features, and the digest of that encoder's weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from milan_core.errors import UserError

if TYPE_CHECKING:
    from milan_core.describe.captioner import Captioner
    from milan_core.exemplars.store import ExemplarSet
    from milan_core.features.encoder import Encoder


def encoder_of(captioner: Captioner, device: str = "cpu") -> Encoder:
    """The encoder that the captioner was trained with, its weights checked by their digest."""
    from milan_core.features.pool import load_encoder

    meta = captioner.meta
    if "spec" not in meta.get("encoder", {}):
        message = (
            "this captioner does not say which encoder made its features, so it cannot describe "
            "images directly; use one trained by this workflow, or give features to decode()"
        )
        raise UserError(message)
    spec = meta["encoder"]["spec"]
    encoder = load_encoder(spec, device)
    if encoder.hash != meta["encoder_hash"]:
        message = (
            f"the encoder's weights at {spec['model']['weights'].get('path')} give digest "
            f"{encoder.hash}, the captioner was trained with {meta['encoder_hash']}; restore those "
            "weights or train the captioner again"
        )
        raise UserError(message)
    return encoder


def describe_exemplars(
    captioner: Captioner,
    exemplars: ExemplarSet,
    images: np.ndarray | None = None,
    layer: str | None = None,
    options: dict[str, Any] | None = None,
    device: str = "cpu",
) -> list[dict[str, Any]]:
    """One row per unit: layer, unit, description, logp, logp_lm, score.

    Args:
        captioner: one trained by this workflow.
        exemplars: a whole set.
        images: uint8 (N, H, W, 3), RGB, the images that were mined; not needed when the set was
            mined from such an array in this process.
        layer: one layer, or None for all.
        options: strategy, temperature, beam_size and length of `Captioner.decode`.
        device: where the encoder runs.
    """
    from milan_core.describe.stage import COLUMNS, decode, description_rows

    pixels = exemplars.images if images is None else images
    if pixels is None or pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3:
        got = "none" if pixels is None else f"{pixels.dtype} {pixels.shape}"
        message = (
            f"describing needs the mined images as uint8 (N, H, W, 3), got {got}; give images="
        )
        raise UserError(message)
    pooling = {**captioner.meta.get("encoder", {}).get("pooling", {})}
    encoder = encoder_of(captioner, device)
    pooled = encoder.features(pixels, exemplars, mask_size=pixels.shape[1], **pooling)
    layers = exemplars.layers if layer is None else [layer]
    features = np.concatenate([pooled[name] for name in layers]).astype(np.float16)
    keys = [(name, unit) for name in layers for unit in range(exemplars.units[name])]
    rows = description_rows(keys, decode(captioner, features, options or {}))
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]
