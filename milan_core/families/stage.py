"""Describe one network by a variant: another captioner, another prior, or CLIP after the beams."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from milan_core.describe.descriptions import Descriptions
from milan_core.describe.stage import COLUMNS, check_encoder, description_rows
from milan_core.errors import UserError
from milan_core.exemplars.store import ExemplarSet, load_exemplars
from milan_core.families.interface import Exemplars, pmi_describe
from milan_core.runtime.files import write_csv

CANDIDATES = ("layer", "unit", "rank", "description", "logp", "logp_lm", "score", "similarity")
Key = tuple[str, int]


class UnitExemplars(Sequence[Exemplars]):
    """Images and masks of units, read when asked for: a whole network's need not fit in memory.

    A unit without exemplars is one black image with an empty mask.
    """

    def __init__(self, exemplars: ExemplarSet, images: np.ndarray, keys: Sequence[Key]) -> None:
        self._exemplars, self._images, self._keys = exemplars, images, keys

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> Exemplars: ...
    @overload
    def __getitem__(self, index: slice) -> UnitExemplars: ...
    def __getitem__(self, index: int | slice) -> Exemplars | UnitExemplars:
        if isinstance(index, slice):
            return UnitExemplars(self._exemplars, self._images, self._keys[index])
        layer, unit = self._keys[index]
        ids = self._exemplars.ids(layer)[unit]
        height, width = self._images.shape[1:3]
        if height != width:
            message = f"exemplar images are {height} x {width}; masks are made for square images"
            raise UserError(message)
        masks = self._exemplars.masks(layer, height, units=[unit])[0]
        there = ids >= 0
        if not there.any():
            shape = (1, height, width)
            return Exemplars(np.zeros((*shape, 3), np.uint8), np.zeros(shape, bool))
        return Exemplars(np.asarray(self._images[ids[there]]), masks[there])


def describe_variant(
    spec: dict[str, Any],
    captioner_path: Path,
    features_path: Path,
    exemplars_path: Path,
    dataset_path: Path,
    *,
    device: str,
    out: Path,
) -> None:
    """Write descriptions.csv and candidates.csv (all beams, all scores) of a variant to `out`.

    `spec` is an entry of `variants` in the configuration.
    """
    from milan_core.data.store import open_dataset

    exemplars = load_exemplars(exemplars_path)
    keys = [(layer, unit) for layer, count in exemplars.units.items() for unit in range(count)]
    units = UnitExemplars(exemplars, open_dataset(dataset_path).images, keys)
    captioner, prior, seen = _models(spec, captioner_path, features_path, units, device)
    found = pmi_describe(
        captioner, prior, seen, spec["temperature"], spec["beam_size"], spec["length"]
    )
    similarity: list[dict[int, float]] = [{} for _ in keys]
    if spec["clip"] is not None:
        found, similarity = _clip(spec["clip"], found, units, device)
    write_csv(out / "candidates.csv", CANDIDATES, _candidates(keys, found, similarity, spec))
    write_csv(out / "descriptions.csv", COLUMNS, description_rows(keys, found))


def _models(
    spec: dict[str, Any], captioner_path: Path, features: Path, units: UnitExemplars, device: str
) -> tuple[Any, Any, Any]:
    """Captioner, prior, and the units as that captioner reads them."""
    from milan_core.describe.checkpoint import load_captioner
    from milan_core.families.lstm import LstmCaptioner, LstmPrior

    choice, other = dict(spec["captioner"]), dict(spec["prior"])
    family, source = choice.pop("family"), choice.pop("source")
    prior_family, prior_source = other.pop("family"), other.pop("source")
    trained = None
    if "milan" in (family, prior_family):
        trained = load_captioner(captioner_path.parent).to(device)
    captioner: Any
    seen: Any = units
    if family == "milan":
        from milan_core.features.store import load_features

        assert trained is not None
        table = load_features(features)
        check_encoder(trained, table, captioner_path.parent, features)
        captioner, seen = LstmCaptioner(trained), table.arrays["exact"]
    else:
        from milan_core.families.image_to_text import ImageToText

        captioner = ImageToText.load(source, device, **choice)
    if prior_family == "causal_lm":
        from milan_core.families.causal_lm import CausalPrior

        return captioner, CausalPrior.load(prior_source, device, **other), seen
    model = None if trained is None or prior_family == "none" else trained.language_model
    return captioner, None if model is None else LstmPrior(model), seen


def _clip(
    choice: dict[str, Any], found: Descriptions, units: UnitExemplars, device: str
) -> tuple[Descriptions, list[dict[int, float]]]:
    """The descriptions that CLIP prefers, and its similarity by place in the beam."""
    from milan_core.families.clip_rerank import ClipReranker, with_best

    options = {key: value for key, value in choice.items() if key != "source"}
    assert found.beam_captions is not None
    reranked = ClipReranker.load(choice["source"], device, **options).rerank(
        units, found.beam_captions
    )
    similarity = [
        dict(zip(unit.order.tolist(), unit.similarity.tolist(), strict=True)) for unit in reranked
    ]
    return with_best(found, reranked), similarity


def _candidates(
    keys: Sequence[Key],
    found: Descriptions,
    similarity: Sequence[dict[int, float]],
    spec: dict[str, Any],
) -> list[tuple[Any, ...]]:
    """Rows of candidates.csv: every beam with log p(d|E), log p(d), weighted PMI and similarity."""
    assert found.beam_captions is not None
    assert found.beam_logp is not None
    prior = found.beam_logp_lm
    rows = []
    for unit, (key, beam) in enumerate(zip(keys, found.beam_captions, strict=True)):
        for rank, text in enumerate(beam):
            logp = float(found.beam_logp[unit, rank])
            lm = 0.0 if prior is None else float(prior[unit, rank])
            score = logp - spec["temperature"] * lm
            close = similarity[unit].get(rank)
            numbers = [logp, "" if prior is None else lm, score, "" if close is None else close]
            cells = [x if isinstance(x, str) else float(f"{x:.6g}") for x in numbers]
            rows.append((*key, rank, text, *cells))
    return rows
