"""Correlation with a costly judge from few images (importance sampling, S2).

Images are drawn, with replacement, where a cheap judge and the unit say that they matter:

    q(i) = (1 - g) f_i / sum f + g / n                      f_i = |z(a_i) z(c_i)| as published
    rho  = 1/m sum over draws of z(a_i) z(v_i) / (n q_i)    a: activation, c: cheap, v: verdict

With the mean and the deviation of the verdicts known, rho is unbiased. They are known only from the
same draws, so they are weighted means too; the interval counts their error (linearization). The
published f forgets that error: where the cheap judge overlooks some images, its intervals are too
short. `influence` draws by what an image adds to the whole estimate,
f_i = |z(a_i) z(c_i) - rho_c (z(c_i)^2 + 1) / 2|, and half of the draws uniformly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Rule = Literal["influence", "product"]
UNIFORM = {"influence": 0.5, "product": 0.2}  # g; no weight is larger than 1 / g
IMAGES = 180  # draws that suffice for most units


@dataclass(frozen=True)
class Estimate:
    """A correlation with its interval; NaN where it is undefined."""

    value: float
    low: float
    high: float
    error: float  # standard error


UNDEFINED = Estimate(float("nan"), float("nan"), float("nan"), float("nan"))


def standardized(x: np.ndarray) -> np.ndarray:
    """The values less their mean, by their deviation; zeros for a constant: float64 [n]."""
    x = np.asarray(x, np.float64) - np.mean(x, dtype=np.float64)
    deviation = float(np.sqrt((x * x).mean()))
    return x / deviation if deviation > 0 else np.zeros_like(x)


def proposal(
    a: np.ndarray, c: np.ndarray, rule: Rule = "influence", uniform: float | None = None
) -> np.ndarray:
    """Probability of each image to be drawn: float64 [n], sum 1.

    Args:
        a: float [n], activations.
        c: float [n], presence by the cheap judge.
        rule: `product` as published.
        uniform: g, in (0, 1]; default: that of the rule.

    """
    g = UNIFORM[rule] if uniform is None else uniform
    za, zc = standardized(a), standardized(c)
    matter = za * zc
    if rule == "influence":
        matter = matter - matter.mean() * (zc * zc + 1) / 2
    matter, n = np.abs(matter), len(matter)
    total = float(matter.sum())
    return (1 - g) * matter / total + g / n if total > 0 else np.full(n, 1 / n)


def draw(q: np.ndarray, rng: np.random.Generator, images: int = IMAGES) -> np.ndarray:
    """Images to ask the costly judge about: int64 [images], some more than once."""
    return rng.choice(len(q), images, p=q)


def estimate_known(
    a: np.ndarray, q: np.ndarray, drawn: np.ndarray, z: np.ndarray, quantile: float = 1.96
) -> Estimate:
    """The estimate from standardized verdicts z(v) float [m] of the drawn images; unbiased."""
    terms = standardized(a)[drawn] * z / (len(q) * q[drawn])
    error = float(terms.std(ddof=1) / np.sqrt(len(terms)))
    value = float(terms.mean())
    return Estimate(value, value - quantile * error, value + quantile * error, error)


def estimate(
    a: np.ndarray, q: np.ndarray, drawn: np.ndarray, verdicts: np.ndarray, quantile: float = 1.96
) -> Estimate:
    """The correlation of activations with verdicts float [m] of the drawn images.

    Unanswered images (NaN) are left out, as if they had not been drawn. The interval is that of
    Fisher's z, so it stays within -1 and 1.
    """
    answered = ~np.isnan(verdicts)
    v, drawn = verdicts[answered].astype(np.float64), drawn[answered]
    if len(v) < 3 or v.min() == v.max():
        return UNDEFINED
    w = 1 / (len(q) * q[drawn])
    w = w / w.mean()
    z = standardized(a)[drawn]
    centered = v - (w * v).mean()
    deviation = float(np.sqrt((w * centered * centered).mean()))
    zv = centered / deviation
    value = float(np.clip((w * z * zv).mean(), -0.999, 0.999))
    influence = w * (z * zv - value * (zv * zv + 1) / 2)
    error = float(np.sqrt((influence**2).sum()) / len(v))
    middle, reach = np.arctanh(value), quantile * error / (1 - value * value)
    return Estimate(value, float(np.tanh(middle - reach)), float(np.tanh(middle + reach)), error)
