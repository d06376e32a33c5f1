"""Describe the units of one network with one captioner, and write what the scores need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from milan_core.errors import UserError
from milan_core.features.store import FeatureTable, load_features
from milan_core.runtime.files import read_csv, save_tensors, write_csv

if TYPE_CHECKING:
    from milan_core.describe.captioner import Captioner, Descriptions

COLUMNS = ("layer", "unit", "description", "logp", "logp_lm", "score")
HEADER = (*COLUMNS, "side")
BASELINE_HEADER = ("method", "layer", "unit", "description", "logp", "logp_lm", "score")
BEAMS_KIND, BEAMS_VERSION = "milan-beams", 1
_CONTROLS = {"shuffled_masks": "shuffled", "whole_image": "whole"}


def describe_units(
    model: str,
    captioner_path: Path,
    features_path: Path,
    options: dict[str, Any],
    *,
    device: str,
    out: Path,
) -> None:
    """Write descriptions.csv, beams.safetensors and baselines.csv (spec 1.3, 5.2) to `out`.

    Always by beam search and re-ranking: the scores need the beams, and a captioner without p(d)
    is refused. `rerank_study` compares the other strategies.
    """
    from milan_core.describe.checkpoint import load_captioner

    if (strategy := options.get("strategy", "rerank")) != "rerank":
        message = (
            f"describe units: strategy {strategy!r} leaves no beams to score and to re-rank; leave "
            "it out, and compare strategies with `milan rerank_study measure`"
        )
        raise UserError(message)
    folder = captioner_path.parent if captioner_path.suffix == ".json" else captioner_path
    captioner = load_captioner(folder).to(device)
    table = load_features(features_path)
    check_encoder(captioner, table, folder, features_path)
    found = decode(captioner, table.arrays["exact"], options)
    sides = _sides(folder / "units.csv", model, table)
    rows = description_rows(table.rows, found)
    with_sides = [(*row, side) for row, side in zip(rows, sides, strict=True)]
    write_csv(out / "descriptions.csv", HEADER, with_sides)
    _write_beams(out / "beams.safetensors", table, found)
    write_csv(out / "baselines.csv", BASELINE_HEADER, _baselines(captioner, table, options))


def decode(captioner: Captioner, features: np.ndarray, options: dict[str, Any]) -> Descriptions:
    """Decode with the options of the configuration; too wide a beam is narrowed."""
    strategy = options.get("strategy", "rerank")
    return captioner.decode(
        features,
        strategy=strategy,
        mi=None if strategy == "rerank" else False,
        temperature=options.get("temperature", 0.2),
        beam_size=options.get("beam_size", 50),
        length=options.get("length", 15),
        legacy=options.get("legacy", False),
        clamp_beam=True,
    )


def check_encoder(captioner: Captioner, table: FeatureTable, folder: Path, path: Path) -> None:
    """Refuse features that the captioner's encoder did not make."""
    expected = getattr(captioner, "meta", {}).get("encoder_hash")
    if expected is not None and expected != table.meta["encoder"]:
        message = (
            f"{path} was made by encoder {table.meta['encoder']}, the captioner {folder} reads "
            f"features of encoder {expected}; run the features stage with the captioner's encoder"
        )
        raise UserError(message)


def description_rows(keys: list[tuple[str, int]], found: Descriptions) -> list[tuple[Any, ...]]:
    """Rows of a description table: layer, unit, description, log p(d|E), log p(d), score."""
    return [(*key, *values) for key, values in zip(keys, _values(found), strict=True)]


def _values(found: Descriptions) -> list[tuple[str, float, float | str, float]]:
    prior = found.logp_lm if found.logp_lm is not None else [""] * len(found.captions)
    return [
        (text, _number(logp), _number(lm), _number(score))
        for text, logp, lm, score in zip(
            found.captions, found.logp, prior, found.scores, strict=True
        )
    ]


def _number(value: Any) -> Any:
    return value if value == "" else float(f"{value:.6g}")


def _sides(path: Path, model: str, table: FeatureTable) -> list[str]:
    seen = {
        (row["layer"], int(row["unit"]))
        for row in read_csv(path, ["model", "layer", "unit", "side"])
        if row["model"] == model and row["side"] == "train"
    }
    return ["train" if key in seen else "test" for key in table.rows]


def _write_beams(path: Path, table: FeatureTable, found: Descriptions) -> None:
    assert found.beam_logp is not None
    assert found.beam_logp_lm is not None
    arrays = {
        "logp": found.beam_logp.astype(np.float32),
        "logp_lm": found.beam_logp_lm.astype(np.float32),
    }
    meta = {
        "captions": found.beam_captions,
        "layers": [layer for layer, _ in table.rows],
        "units": [unit for _, unit in table.rows],
    }
    save_tensors(path, BEAMS_KIND, BEAMS_VERSION, arrays, meta)


def _baselines(
    captioner: Captioner, table: FeatureTable, options: dict[str, Any]
) -> list[tuple[Any, ...]]:
    """Descriptions by the same captioner without the right evidence, and by the prior alone."""
    from milan_core.describe.prior import most_likely_text

    rows: list[tuple[Any, ...]] = []
    for method, masking in _CONTROLS.items():
        if masking in table.arrays:
            values = _values(decode(captioner, table.arrays[masking], options))
            rows += [(method, *key, *v) for key, v in zip(table.rows, values, strict=True)]
    beam, length = options.get("beam_size", 50), options.get("length", 15)
    text, logp = most_likely_text(captioner, beam, length)
    rows += [("prior_only", *key, text, "", _number(logp), "") for key in table.rows]
    greedy = decode(captioner, table.arrays["exact"], {**options, "strategy": "greedy"})
    rows += [("greedy", *k, *v) for k, v in zip(table.rows, _values(greedy), strict=True)]
    return rows
