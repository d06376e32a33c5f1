"""Fits of texts to units: against plain NumPy, whatever the blocks; constants correlate with 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from milan_core.describers import fit
from milan_core.describers.abstention.stability import resample_counts

RNG = np.random.default_rng(0)
CHOOSER, JUDGE = (RNG.random((60, 9)).astype(np.float32) for _ in range(2))
CHOOSER[:, 4] = JUDGE[:, 4] = 0.25
ACTIVATIONS = RNG.standard_normal((3, 60)).astype(np.float32)
ACTIVATIONS[2] = 1.5
TEXTS = [["t0", "t5", "t4"], ["t5", "t8"], ["t1", "t0"]]


def columns(values: np.ndarray) -> fit.Columns:
    """Presence of the text `t3` is column 3."""

    def judge(texts: Sequence[str]) -> np.ndarray:
        return values[:, [int(text[1:]) for text in texts]]

    return judge


def plain(unit: int, text: str) -> list[float]:
    """The four correlations by their formulas, in float64."""

    def z(x: np.ndarray) -> np.ndarray:
        x = x.astype(np.float64) - x.mean(dtype=np.float64)
        return x / x.std() if x.std() > 1e-6 else 0 * x

    a, c, j = z(ACTIVATIONS[unit]), *(z(v[:, int(text[1:])]) for v in (CHOOSER, JUDGE))
    p = z(np.maximum(a, 0) ** 2)
    pairs = ((p, z(c + j)), (p, c), (p, j), (a, z(c + j)))
    return [float((x * y).mean()) for x, y in pairs]


@pytest.mark.parametrize("block", [1, 2, 256])
def test_fits_are_the_formulas(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A constant text (t4) and a constant unit (2) correlate with nothing."""
    monkeypatch.setattr(fit, "BLOCK", block)
    fitted = fit.Fitted(ACTIVATIONS, columns(CHOOSER), columns(JUDGE), TEXTS)
    for unit, texts in enumerate(TEXTS):
        one = fitted.fits[unit]
        got = np.stack([one.fit, one.fit_chooser, one.fit_judge, one.range], 1)
        np.testing.assert_allclose(got, [plain(unit, text) for text in texts], atol=1e-6)
        quiet = JUDGE[ACTIVATIONS[unit] <= np.median(ACTIVATIONS[unit])]
        means = quiet[:, [int(text[1:]) for text in texts]].mean(0)
        np.testing.assert_allclose(one.quiet, means, atol=1e-6)
    assert fitted.fits[0].fit[2] == 0
    assert not fitted.fits[2].fit.any()


def test_wins_are_shares_of_the_resamples() -> None:
    """They add up to 1, and a large offset decides."""
    fitted = fit.Fitted(ACTIVATIONS, columns(CHOOSER), columns(JUDGE), TEXTS)
    counts = resample_counts(60, seed=1, resamples=40)
    wins = fitted.wins(0, np.zeros(3), counts)
    assert wins.sum() == pytest.approx(1)
    assert fitted.wins(0, np.array([0.0, 0.0, 9.0]), counts).tolist() == [0, 0, 1]
    assert fitted.wins(1, np.array([9.0, 0.0]), counts).tolist() == [1, 0]


def test_units_without_texts_have_no_fits() -> None:
    """Nothing is judged where nobody says anything."""
    fitted = fit.Fitted(ACTIVATIONS, columns(CHOOSER), columns(JUDGE), [[], [], []])
    assert [len(one.fit) for one in fitted.fits] == [0, 0, 0]
