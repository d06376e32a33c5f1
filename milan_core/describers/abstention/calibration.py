"""Calibrations: a confidence with its threshold, where it comes from, and its file.

`calibrate` fits both on annotated networks. `recalibrate` brings a calibration to one network by
annotated units of its own: scale and shift of the log odds, and the threshold. Weights of features
stay: 60 units cannot carry them, and since their order by confidence stays too, the guarantee of
the threshold holds exactly (`conformal`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from milan_core.core.errors import UserError, reading
from milan_core.core.files import read_json, write_json
from milan_core.core.options import Section, parse
from milan_core.describers.abstention.confidence import Confidence, fit_confidence, sigmoid
from milan_core.describers.abstention.conformal import ALPHA, smallest_sample, threshold
from milan_core.describers.abstention.evidence import FEATURES
from milan_core.describers.abstention.options import SHIPPED
from milan_core.describers.abstention.reliability import auroc

KIND: Literal["milan-calibration"] = "milan-calibration"
VERSION: Literal[1] = 1
SMALLEST, FEWEST_OF_A_KIND = 60, 2
"""Units for a calibration of one's own, and right or wrong ones among them."""
DIGITS = 9  # significant digits of stored numbers


class Source(Section):
    """Units that a calibration was made on: their network or file, how many, and right ones."""

    name: str
    units: int
    right: int


class Calibration(Section):
    """P(right) of a unit's evidence, and the threshold from which it is answered."""

    format: Literal["milan-calibration"] = KIND
    version: Literal[1] = VERSION
    features: tuple[str, ...] = FEATURES
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float
    scale: float = 1.0  # of the log odds, then shift
    shift: float = 0.0
    alpha: float
    threshold: float
    sources: tuple[Source, ...]  # of the weights
    own: Source | None = None  # of scale, shift and threshold, where these are of one network
    made_by: str

    @cached_property
    def fitted(self) -> Confidence:
        """The regression."""
        mean, deviation, weights = (
            np.array(x, np.float64) for x in (self.mean, self.deviation, self.weights)
        )
        return Confidence(mean, deviation, weights, self.intercept)

    def confidence(self, features: np.ndarray, passed: np.ndarray) -> np.ndarray:
        """P(right) float64 [units]; 0 for units that do not pass the null test."""
        p = sigmoid(self.scale * self.fitted.log_odds(features) + self.shift)
        return np.where(passed, p, 0.0)

    @property
    def units(self) -> int:
        """Calibration units of the threshold: m of the guarantee."""
        return self.own.units if self.own else sum(one.units for one in self.sources)

    def save(self, path: Path | str) -> None:
        """Write one JSON file."""
        write_json(path, self.model_dump(mode="json"))


@dataclass(frozen=True, eq=False)
class Annotated:
    """Units whose descriptions are known to be right or wrong.

    Attributes:
        features: float64 [n, FEATURES].
        passed: bool [n], of the null test.
        right: float64 [n], 1 or 0.

    """

    features: np.ndarray
    passed: np.ndarray
    right: np.ndarray

    def source(self, name: str) -> Source:
        """Its counts."""
        return Source(name=name, units=len(self.right), right=int(self.right.sum()))


def load_calibration(path: Path | str = SHIPPED) -> Calibration:
    """Read a file of `Calibration.save`; refuses other kinds, versions and features."""
    with reading(path, "a calibration", "calibrate again"):
        raw = read_json(path, "calibration")
        if not isinstance(raw, dict) or raw.get("format") != KIND:
            raise UserError(
                f"{path}: expected a calibration, got another file; give one that `milan describe "
                "--calibrate` or the workflow has written"
            )
        loaded = parse(Calibration, raw, str(path))
    sizes = {len(loaded.mean), len(loaded.deviation), len(loaded.weights), len(loaded.features)}
    numbers = [*loaded.mean, *loaded.deviation, *loaded.weights, loaded.intercept, loaded.scale]
    if loaded.features != FEATURES or len(sizes) > 1 or not all(map(math.isfinite, numbers)):
        raise UserError(
            f"{path}: a calibration of the features {', '.join(loaded.features)}; expected a "
            f"finite number for each of {', '.join(FEATURES)}, so calibrate again"
        )
    return loaded


def calibrate(networks: Mapping[str, Annotated], made_by: str, alpha: float = ALPHA) -> Calibration:
    """A calibration on annotated networks.

    The threshold is of confidences that were fitted without the network of their unit, where there
    are three networks or more.

    Raises:
        UserError: without a right and a wrong description.

    """
    parts = list(networks.values())
    right = np.concatenate([one.right for one in parts])
    if not len(right) or right.min() == right.max():
        raise UserError(
            f"calibration: {len(right)} judged units of {', '.join(networks) or 'no network'}, "
            f"{int(right.sum())} of them right; expected right and wrong ones, so annotate more"
        )
    fitted = _fit(parts)
    held = [_fit([x for x in parts if x is not one] if len(parts) > 2 else parts) for one in parts]
    confidence = np.concatenate(
        [
            np.where(one.passed, model.of(one.features), 0.0)
            for one, model in zip(parts, held, strict=True)
        ]
    )
    return Calibration(
        mean=_rounded(fitted.mean),
        deviation=_rounded(fitted.deviation),
        weights=_rounded(fitted.weights),
        intercept=_rounded([fitted.intercept])[0],
        alpha=alpha,
        threshold=_rounded([threshold(confidence, right, alpha)])[0],
        sources=tuple(one.source(name) for name, one in networks.items()),
        made_by=made_by,
    )


def calibrate_run(
    networks: Mapping[str, Annotated], shipped: Calibration, alpha: float
) -> Calibration:
    """A calibration on all annotated networks of a run; `shipped` where they cannot make one."""
    right = np.concatenate([one.right for one in networks.values()] or [np.zeros(0)])
    if not len(right) or right.min() == right.max():
        return shipped
    return calibrate(networks, f"the workflow, on {', '.join(networks)}", alpha)


def _fit(parts: list[Annotated]) -> Confidence:
    return fit_confidence(
        np.concatenate([one.features for one in parts]),
        np.concatenate([one.right for one in parts]),
    )


def _rounded(values: np.ndarray | list[float]) -> tuple[float, ...]:
    return tuple(float(f"{value:.{DIGITS}g}") for value in values)


def recalibrate(
    calibration: Calibration,
    units: Annotated,
    name: str,
    made_by: str,
    alpha: float | None = None,
) -> Calibration:
    """A calibration for the network of these units.

    Args:
        calibration: of other networks.
        units: annotated ones of this network.
        name: of their file.
        made_by: the command.
        alpha: share of units answered wrongly; None: as before.

    Raises:
        UserError: for too few units, too few right or wrong ones, and where right descriptions have
            no higher confidence than wrong ones.

    """
    alpha = calibration.alpha if alpha is None else alpha
    require_enough(name, len(units.right), int(units.right.sum()), alpha)
    odds = calibration.fitted.log_odds(units.features)
    tested = units.passed & np.isfinite(odds)
    scale, shift = _line(odds[tested], units.right[tested], name)
    changed = calibration.model_copy(update={"scale": scale, "shift": shift})
    confidence = changed.confidence(units.features, units.passed)
    return Calibration(
        **{
            **changed.model_dump(),
            "alpha": alpha,
            "threshold": _rounded([threshold(confidence, units.right, alpha)])[0],
            "own": units.source(name),
            "made_by": made_by,
        }
    )


def require_enough(name: str, count: int, right: int | None, alpha: float | None = None) -> None:
    """Refuse too few annotated units, also for a small alpha, and too few right or wrong ones.

    Args:
        name: of their file.
        count: of units.
        right: units that are right; None: not known, or enough.
        alpha: share of units answered wrongly; None: not known.

    """
    if count < SMALLEST:
        raise UserError(
            f"{name}: {count} annotated units, expected {SMALLEST} or more: with fewer the "
            "threshold says nothing; annotate more units, drawn at random"
        )
    if alpha is not None and count < (least := smallest_sample(alpha)):
        raise UserError(
            f"{name}: {count} annotated units, expected {least} or more for an alpha of {alpha:g}: "
            "with fewer no threshold keeps that bound, and no unit would be answered; annotate "
            "more units, drawn at random, or give a larger --alpha"
        )
    if right is not None and min(right, count - right) < FEWEST_OF_A_KIND:
        raise UserError(
            f"{name}: {right} right and {count - right} wrong descriptions, expected "
            f"{FEWEST_OF_A_KIND} or more of each; annotate more units, drawn at random"
        )


def _line(odds: np.ndarray, right: np.ndarray, name: str) -> tuple[float, float]:
    """Scale and shift of the log odds."""
    if len(odds) and right.min() < right.max():
        line = fit_confidence(odds[:, None], right, ridge=1.0)
        scale = float(line.weights[0] / line.deviation[0])
        if scale > 0:
            rounded = _rounded([scale, line.intercept - scale * line.mean[0]])
            return rounded[0], rounded[1]
    share = auroc(odds, right) if len(odds) else math.nan
    raise UserError(
        f"{name}: right descriptions have no higher confidence than wrong ones (AUC {share:.2f}, "
        "expected above 0.5), so no threshold helps; check the column right"
    )
