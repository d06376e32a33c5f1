"""Describe the units of one network with one captioner, and write what the scores need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from milan_core.captioner.describe import decode
from milan_core.captioner.descriptions import (
    COLUMNS,
    Descriptions,
    description_rows,
    description_values,
    rounded,
)
from milan_core.captioner.features.store import FeatureTable, load_features
from milan_core.captioner.options import DecodingOptions
from milan_core.captioner.reading import check_encoder, decoding_of
from milan_core.core.files import read_csv, save_tensors, write_csv

if TYPE_CHECKING:
    from milan_core.captioner.captioner import Captioner

HEADER = (*COLUMNS, "side")
BASELINE_HEADER = ("method", "layer", "unit", "description", "logp", "logp_lm", "score")
BEAMS_KIND, BEAMS_VERSION = "milan-beams", 1
_CONTROLS = {"shuffled_masks": "shuffled", "whole_image": "whole"}


def describe_units(
    model: str,
    captioner_path: Path,
    features_path: Path,
    options: DecodingOptions,
    *,
    device: str,
    out: Path,
) -> None:
    """Write descriptions.csv, beams.safetensors and baselines.csv (spec 1.3, 5.2) to `out`.

    `captioner_path` is a captioner's folder, the config.json in it, or a published file.
    """
    from milan_core.captioner.checkpoint import load_captioner

    place = captioner_path.parent if captioner_path.suffix == ".json" else captioner_path
    captioner = load_captioner(place).to(device)
    table = load_features(features_path)
    check_encoder(captioner, table, place, features_path)
    options = decoding_of(captioner, options)
    found = decode(captioner, table.arrays["exact"], options)
    sides = _sides(place / "units.csv", model, table)
    rows = description_rows(table.rows, found)
    with_sides = [(*row, side) for row, side in zip(rows, sides, strict=True)]
    write_csv(out / "descriptions.csv", HEADER, with_sides)
    write_beams(out / "beams.safetensors", table.rows, found)
    write_csv(out / "baselines.csv", BASELINE_HEADER, _baselines(captioner, table, options))


def _sides(path: Path, model: str, table: FeatureTable) -> list[str]:
    """Whether the captioner learnt from each unit; one without a list of units knew none of them.

    Published captioners, converted ones too, do not say which units taught them.
    """
    if not path.is_file():
        return ["test"] * len(table.rows)
    seen = {
        (row["layer"], int(row["unit"]))
        for row in read_csv(path, ["model", "layer", "unit", "side"])
        if row["model"] == model and row["side"] == "train"
    }
    return ["train" if key in seen else "test" for key in table.rows]


def write_beams(path: Path, keys: list[tuple[str, int]], found: Descriptions) -> None:
    """Write every candidate of every unit with log p(d|E) and log p(d).

    A strategy without beams has one candidate. Without a language model every log p(d) is 0, so
    that no lambda changes the order.
    """
    captions, logp, prior = found.beam_captions, found.beam_logp, found.beam_logp_lm
    if captions is None or logp is None:
        captions, logp = [[text] for text in found.captions], found.logp[:, None]
        prior = None if found.logp_lm is None else found.logp_lm[:, None]
    prior = np.zeros_like(logp) if prior is None else prior
    arrays = {"logp": logp.astype(np.float32), "logp_lm": prior.astype(np.float32)}
    meta = {
        "captions": captions,
        "layers": [layer for layer, _ in keys],
        "units": [unit for _, unit in keys],
    }
    save_tensors(path, BEAMS_KIND, BEAMS_VERSION, arrays, meta)


def _baselines(
    captioner: Captioner, table: FeatureTable, options: DecodingOptions
) -> list[tuple[Any, ...]]:
    """Descriptions by the same captioner without the right evidence, and by the prior alone."""
    from milan_core.captioner.prior import most_likely_text

    rows: list[tuple[Any, ...]] = []
    for method, masking in _CONTROLS.items():
        if masking in table.arrays:
            values = description_values(decode(captioner, table.arrays[masking], options))
            rows += [(method, *key, *v) for key, v in zip(table.rows, values, strict=True)]
    if captioner.language_model is not None:
        text, logp = most_likely_text(captioner, options.beam_size, options.length)
        rows += [("prior_only", *key, text, "", rounded(logp), "") for key in table.rows]
    plain = options.model_copy(update={"strategy": "greedy", "mi": False})
    greedy = decode(captioner, table.arrays["exact"], plain)
    rows += [
        ("greedy", *k, *v) for k, v in zip(table.rows, description_values(greedy), strict=True)
    ]
    return rows
