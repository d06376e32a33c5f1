"""Features that a captioner reads, and its default decoding."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from milan_core.captioner.features.options import Pooling
from milan_core.captioner.features.store import FeatureTable
from milan_core.captioner.options import DecodingOptions
from milan_core.core.errors import UserError
from milan_core.core.options import parse


class Recorded(Protocol):
    """A captioner with the record of its training or release."""

    meta: dict[str, Any]
    origin: Path | None


PUBLISHED_POOLING = Pooling(append_area=False, resize="bilinear")
"""The pooling of the published pyramid: four mask pixels a cell, no area."""


def pooling_of(captioner: Recorded) -> Pooling:
    """The pooling of the captioner's features; fields that its record lacks are not set."""
    if captioner.meta.get("source") == "release":
        return PUBLISHED_POOLING
    stored = captioner.meta.get("encoder", {}).get("pooling", {})
    return parse(Pooling, stored, f"pooling of {captioner.origin or 'the captioner'}")


def check_encoder(captioner: Recorded, table: FeatureTable, folder: Path, path: Path) -> None:
    """Refuse features that the captioner's encoder did not make, or that are pooled otherwise.

    Facts that either of them lacks are not compared.
    """
    expected = captioner.meta.get("encoder_hash")
    if expected is not None and expected != table.meta["encoder"]:
        message = (
            f"{path} was made by encoder {table.meta['encoder']}, the captioner {folder} reads "
            f"features of encoder {expected}; run the features stage with the captioner's encoder"
        )
        raise UserError(message)
    pooled, wanted = table.meta.get("pooling", {}), pooling_of(captioner)
    if not isinstance(pooled, dict):
        raise UserError(
            f"{path}: its pooling is {type(pooled).__name__}, expected names and values; run the "
            "features stage again"
        )
    for name in sorted(wanted.model_fields_set):
        value = getattr(wanted, name)
        if pooled.get(name, value) != value:
            message = (
                f"{path} was pooled with {name} {pooled[name]!r}, the captioner {folder} reads "
                f"features pooled with {value!r}; run the features stage with that option"
            )
            raise UserError(message)


def decoding_of(captioner: Recorded, options: DecodingOptions | None = None) -> DecodingOptions:
    """Options of decoding: those set in `options`, before those a published captioner brings."""
    options = options or DecodingOptions()
    values = {**captioner.meta.get("defaults", {})}
    values |= {name: getattr(options, name) for name in options.model_fields_set}
    given = {name: value for name, value in values.items() if value is not None}
    return parse(DecodingOptions, given, f"decoding of {captioner.origin or 'the captioner'}")
