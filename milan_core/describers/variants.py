"""Describe one network by a variant: another captioner, another prior, or CLIP after the beams."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from milan_core.captioner.descriptions import COLUMNS, Descriptions, description_rows
from milan_core.captioner.reading import check_encoder
from milan_core.core.errors import UserError
from milan_core.core.files import write_csv
from milan_core.describers.backends.interface import Exemplars, pmi_describe
from milan_core.exemplars.store import ExemplarSet, load_exemplars

if TYPE_CHECKING:
    from milan_core.captioner.captioner import Captioner

CANDIDATES = ("layer", "unit", "rank", "description", "logp", "logp_lm", "score", "similarity")
Key = tuple[str, int]


class UnitExemplars(Sequence[Exemplars]):
    """Images and masks of units, read when asked for: a whole network's need not fit in memory.

    A unit without exemplars is one black image with an empty mask.
    """

    def __init__(self, exemplars: ExemplarSet, images: np.ndarray, keys: Sequence[Key]) -> None:
        self.exemplars, self.images, self._keys = exemplars, images, keys

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> Exemplars: ...
    @overload
    def __getitem__(self, index: slice) -> UnitExemplars: ...
    def __getitem__(self, index: int | slice) -> Exemplars | UnitExemplars:
        if isinstance(index, slice):
            return UnitExemplars(self.exemplars, self.images, self._keys[index])
        layer, unit = self._keys[index]
        ids = self.exemplars.ids(layer)[unit]
        height, width = self.images.shape[1:3]
        if height != width:
            message = f"exemplar images are {height} x {width}; masks are made for square images"
            raise UserError(message)
        masks = self.exemplars.masks(layer, height, units=[unit])[0]
        there = ids >= 0
        if not there.any():
            shape = (1, height, width)
            return Exemplars(np.zeros((*shape, 3), np.uint8), np.zeros(shape, bool))
        return Exemplars(np.asarray(self.images[ids[there]]), masks[there])


def describe_variant(
    spec: dict[str, Any],
    captioner_path: Path | None,
    features_path: Path | None,
    exemplars_path: Path,
    dataset_path: Path,
    *,
    device: str,
    out: Path,
) -> None:
    """Write descriptions.csv and candidates.csv (all beams, all scores) of a variant to `out`.

    `spec` is an entry of `variants` in the configuration. The captioner trained here (its
    config.json) and the features it reads are needed only where the variant uses them.
    """
    from milan_core.images.store import open_dataset

    exemplars = load_exemplars(exemplars_path)
    keys = [(layer, unit) for layer, count in exemplars.units.items() for unit in range(count)]
    images = open_dataset(dataset_path).images
    units = UnitExemplars(exemplars, images, keys)
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
    spec: dict[str, Any],
    captioner_path: Path | None,
    features: Path | None,
    units: UnitExemplars,
    device: str,
) -> tuple[Any, Any, Any]:
    """Captioner, prior, and the units as that captioner reads them."""
    from milan_core.describers.backends.lstm import LstmCaptioner, LstmPrior

    choice, other = dict(spec["captioner"]), dict(spec["prior"])
    family, source = choice.pop("family"), choice.pop("source")
    encoder_weights = choice.pop("encoder_weights", None)
    prior_family, prior_source = other.pop("family"), other.pop("source")
    milan = None
    captioner: Any
    seen: Any = units
    if family == "released":
        milan, seen = _released(source, encoder_weights, units, device)
    elif "milan" in (family, prior_family):
        milan = _trained(captioner_path, device)
    if family == "image_to_text":
        from milan_core.describers.backends.image_to_text import ImageToText

        captioner = ImageToText.load(source, device, **choice)
    else:
        assert milan is not None
        if family == "milan":
            seen = _features(milan, captioner_path, features)
        per_token = spec.get("candidates") == "beam_mi"
        captioner = LstmCaptioner(milan, spec["temperature"] if per_token else None)
    if prior_family == "causal_lm":
        from milan_core.describers.backends.causal_lm import CausalPrior

        return captioner, CausalPrior.load(prior_source, device, **other), seen
    model = None if milan is None or prior_family == "none" else milan.language_model
    return captioner, None if model is None else LstmPrior(model), seen


def _trained(path: Path | None, device: str) -> Captioner:
    from milan_core.captioner.checkpoint import load_captioner

    if path is None:
        message = (
            "this variant reads the captioner trained here; give its config.json (--captioner)"
        )
        raise UserError(message)
    return load_captioner(path.parent).to(device)


def _features(captioner: Captioner, place: Path | None, path: Path | None) -> np.ndarray:
    from milan_core.captioner.features.store import load_features

    if path is None or place is None:
        message = "the captioner trained here reads features; give their file (--features)"
        raise UserError(message)
    table = load_features(path)
    check_encoder(captioner, table, place.parent, path)
    return table.arrays["exact"]


def _released(
    source: str, weights: str | None, units: UnitExemplars, device: str
) -> tuple[Captioner, np.ndarray]:
    """A published captioner, and the features that its own encoder makes of the units."""
    from milan_core.captioner.checkpoint import load_captioner
    from milan_core.captioner.own_encoder import encoder_of, own_features

    captioner = load_captioner(Path(source).expanduser()).to(device)
    encoder = encoder_of(captioner, device, weights)
    return captioner, own_features(captioner, encoder, units.images, units.exemplars)


def _clip(
    choice: dict[str, Any], found: Descriptions, units: UnitExemplars, device: str
) -> tuple[Descriptions, list[dict[int, float]]]:
    """The descriptions that CLIP prefers, and its similarity by place in the beam."""
    from milan_core.describers.backends.clip_rerank import ClipReranker, with_best

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
