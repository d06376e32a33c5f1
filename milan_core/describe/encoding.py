"""From exemplars to descriptions with the captioner's own encoder: the part without files.

A captioner of this workflow remembers which encoder made its features, and the digest of that
encoder's weights. A published one names a torchvision network and brings its weights
(`features.published`); it reads masks at four points a cell, and so it is given such features.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from milan_core.errors import UserError

if TYPE_CHECKING:
    from milan_core.describe.captioner import Captioner
    from milan_core.exemplars.store import ExemplarSet
    from milan_core.features.encoder import Encoder

ENCODER_WEIGHTS = "encoder.safetensors"
"""Beside a converted captioner: the weights of its encoder."""


def encoder_of(
    captioner: Captioner, device: str = "cpu", weights: Path | str | None = None
) -> Encoder:
    """The encoder that the captioner was trained with, its weights checked by their digest.

    Args:
        captioner: a loaded one.
        device: where the encoder runs.
        weights: for a published captioner without its encoder: torchvision's weights of it.

    """
    meta = captioner.meta
    if meta.get("source") == "release":
        encoder = _published(captioner, device, weights)
    elif weights is not None:
        message = "only a published captioner takes encoder weights; this one knows its own encoder"
        raise UserError(message)
    elif "spec" in meta.get("encoder", {}):
        from milan_core.features.pool import load_encoder

        encoder = load_encoder(meta["encoder"]["spec"], device)
    else:
        message = (
            "this captioner does not say which encoder made its features, so it cannot describe "
            "images directly; use one trained by this workflow, or give features to decode()"
        )
        raise UserError(message)
    _check_digest(encoder, meta, weights)
    return encoder


def _published(captioner: Captioner, device: str, weights: Path | str | None) -> Encoder:
    from milan_core.describe.release import read_release
    from milan_core.features.published import CLASSES, published_encoder
    from milan_core.models.weights import read_state_dict

    named, origin = captioner.meta["encoder"], captioner.origin
    place: Path | str | None = weights
    if place is None and origin is not None and origin.is_dir():
        place = origin / ENCODER_WEIGHTS
    if place is not None and Path(place).is_file():
        state = read_state_dict(place)
    elif weights is None and origin is not None and origin.is_file():
        place, state = origin, read_release(origin).encoder_state()
    else:
        message = (
            f"{origin or 'the captioner'} lacks the weights of its encoder {named.get('config')} "
            f"(looked for {place}); give them with --encoder-weights"
        )
        raise UserError(message)
    kind = CLASSES.get(named.get("class", "PyramidConvEncoder"))
    if kind is None:
        message = f"{place}: unknown encoder class {named['class']!r}; known: {', '.join(CLASSES)}"
        raise UserError(message)
    return published_encoder(str(named.get("config")), state, place, kind=kind, device=device)


def _check_digest(encoder: Encoder, meta: dict[str, Any], weights: Path | str | None) -> None:
    expected = meta.get("encoder_hash")
    if expected is None and meta.get("source") == "release":
        return  # a container brings the weights themselves, not their digest
    if encoder.hash != expected:
        spec = meta["encoder"].get("spec", {}).get("model", {}).get("weights", {})
        message = (
            f"the encoder's weights at {weights or spec.get('path')} give digest {encoder.hash}, "
            f"the captioner was trained with {expected}; restore those weights or train the "
            "captioner again"
        )
        raise UserError(message)


def pooling_of(captioner: Captioner) -> dict[str, Any]:
    """How the captioner's features are pooled: options of `Encoder.features`."""
    if captioner.meta.get("source") == "release":
        from milan_core.features.published import POOLING

        return dict(POOLING)
    return {**captioner.meta.get("encoder", {}).get("pooling", {})}


def describe_exemplars(
    captioner: Captioner,
    exemplars: ExemplarSet,
    images: np.ndarray | None = None,
    layer: str | None = None,
    options: dict[str, Any] | None = None,
    device: str = "cpu",
    encoder: Encoder | None = None,
) -> list[dict[str, Any]]:
    """One row per unit: layer, unit, description, logp, logp_lm, score.

    Args:
        captioner: one trained by this workflow, or a published one with its encoder.
        exemplars: a whole set.
        images: uint8 (N, H, W, 3), RGB, the images that were mined; not needed when the set was
            mined from such an array in this process.
        layer: one layer, or None for all.
        options: strategy, temperature, beam_size, length and legacy of `Captioner.decode`;
            a published captioner brings its own first four.
        device: where the encoder runs.
        encoder: that of `encoder_of`, if it is at hand.
    """
    from milan_core.describe.stage import COLUMNS, decode, description_rows

    pixels = exemplars.images if images is None else images
    if pixels is None or pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3:
        got = "none" if pixels is None else f"{pixels.dtype} {pixels.shape}"
        message = (
            f"describing needs the mined images as uint8 (N, H, W, 3), got {got}; give images="
        )
        raise UserError(message)
    encoder = encoder or encoder_of(captioner, device)
    pooled = encoder.features(pixels, exemplars, mask_size=pixels.shape[1], **pooling_of(captioner))
    layers = exemplars.layers if layer is None else [layer]
    # Trained on features as they are stored (float16), or as published (float32).
    features = np.concatenate([pooled[name] for name in layers]).astype(encoder.dtype)
    keys = [(name, unit) for name in layers for unit in range(exemplars.units[name])]
    rows = description_rows(keys, decode(captioner, features, decoding_of(captioner, options)))
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def decoding_of(captioner: Captioner, options: dict[str, Any] | None = None) -> dict[str, Any]:
    """Options of decoding: those given, before those a published captioner brings."""
    stored = captioner.meta.get("defaults", {})
    return {**{key: value for key, value in stored.items() if value is not None}, **(options or {})}
