"""The encoder of a captioner, and its features of exemplars.

A captioner trained here records the encoder of its features and the digest of the encoder's
weights. A published one names a torchvision network and contains its weights
(`features.published`); its features read masks at four points a cell.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from milan_core.captioner.features.encoder import Encoder
from milan_core.captioner.features.options import JobEncoder
from milan_core.captioner.features.pool import load_encoder
from milan_core.captioner.features.published import CLASSES, published_encoder
from milan_core.captioner.reading import Recorded, pooling_of
from milan_core.captioner.release import read_release
from milan_core.core.errors import UserError
from milan_core.core.names import below
from milan_core.exemplars.store import ExemplarSet
from milan_core.networks.shipped import check_shipped

ENCODER_WEIGHTS = "encoder.safetensors"
"""Beside a converted captioner: the weights of its encoder."""


def encoder_of(
    captioner: Recorded,
    device: str = "cpu",
    weights: Path | str | None = None,
    trust: bool = False,
) -> Encoder:
    """The encoder that the captioner was trained with, its weights checked by their digest.

    Args:
        captioner: a loaded one.
        device: where the encoder runs.
        weights: the encoder's file: torchvision's, for a published captioner that lacks it; of one
            trained here, where it lies now.
        trust: run the code that the captioner's file names, whatever it is; without it only
            networks of this package and of hubs are built.

    """
    meta = captioner.meta
    if meta.get("source") == "release":
        encoder = _published(captioner, device, weights)
    elif "spec" in meta.get("encoder", {}):
        encoder = _trained_with(captioner, device, weights, trust)
    else:
        message = (
            "this captioner does not say which encoder made its features, so it cannot describe "
            "images directly; use one trained by this workflow, or give features to decode()"
        )
        raise UserError(message)
    _check_digest(encoder, meta, weights)
    return encoder


def _trained_with(
    captioner: Recorded, device: str, weights: Path | str | None, trust: bool
) -> Encoder:
    """The encoder of a captioner that was trained here; its file may have moved to `weights`."""
    record = captioner.meta["encoder"]
    place = weights or _in_its_run(record, captioner.origin)
    options = JobEncoder.from_record(_moved(record, place))
    if not trust:
        check_shipped(options.model, f"captioner {captioner.origin or ''}")
    if place is None and (path := _named_file(record)) is not None and not path.is_file():
        asset = path.parts[2] if path.parts[:2] == ("resources", "assets") else ""
        fetch = f"`milan fetch {asset}` brings them, or " if asset else ""
        message = (
            f"captioner {captioner.origin or ''}: its encoder's weights {path} are neither in this "
            f"folder nor in one above the captioner; {fetch}give them with --encoder-weights FILE"
        )
        raise UserError(message)
    return load_encoder(options, device)


def _named_file(record: dict[str, Any]) -> Path | None:
    """The file that the record of an encoder names, as written; None: its weights are no file."""
    weights = record["spec"]["model"].get("weights", {})
    return Path(weights["path"]) if weights.get("source") == "file" else None


def _in_its_run(record: dict[str, Any], origin: Path | None) -> Path | None:
    """The encoder's file in the folder of the captioner's run, where it is not in this one."""
    path = _named_file(record)
    if origin is None or path is None or path.is_absolute() or path.is_file():
        return None
    for folder in origin.resolve().parents:
        if (folder / path).is_file():
            return below(folder, path.as_posix(), f"encoder of the captioner {origin}")
    return None


def _moved(record: dict[str, Any], weights: Path | str | None) -> dict[str, Any]:
    """The record of an encoder whose weights now lie in the file `weights`."""
    if weights is None:
        return record
    model = record["spec"]["model"]
    stored = model["weights"] if model["weights"]["source"] == "file" else {}
    moved = {**stored, "source": "file", "path": str(weights)}
    return {**record, "spec": {**record["spec"], "model": {**model, "weights": moved}}}


def _published(captioner: Recorded, device: str, weights: Path | str | None) -> Encoder:
    from milan_core.networks.weights import read_state_dict

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


def exemplar_features(
    captioner: Recorded,
    encoder: Encoder,
    images: np.ndarray,
    exemplars: ExemplarSet,
    layers: list[str] | None = None,
) -> np.ndarray:
    """Features of mined exemplars, layers below each other, as the captioner reads them.

    float16 (U, k, F) as they are stored here, or float32 for a published captioner.
    """
    pooled = encoder.features(
        images, exemplars, mask_size=images.shape[1], pooling=pooling_of(captioner)
    )
    return np.concatenate([pooled[name] for name in layers or exemplars.layers]).astype(
        encoder.dtype
    )
