"""The domain of a captioner: which images are like those that it learned from.

Features are those of the captioner's encoder over whole images. They are standardized by the
training images, and an image lies at the Mahalanobis distance

    d(z)^2 = z' (C + 0.1 I)^-1 z / F

for F features with covariance C. It is outside when d is above the 99 % quantile of a quarter of
the training images, which mean and covariance have not seen, and far outside above 1.25 times that.
Both shares of a user's images say whether descriptions can be relied on (`verdict`); the limits are
those of the default run's captioner on images of six kinds (docs/photographs.md).

The file `domain.safetensors` lies in the captioner's folder beside its three files. A captioner
without it, or with an empty one, has an unknown domain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from milan_core.captioner.features.encoder import Encoder
from milan_core.captioner.features.options import Pooling
from milan_core.captioner.options import DOMAIN
from milan_core.captioner.reading import Recorded, pooling_of
from milan_core.core.errors import UserError, reads
from milan_core.core.options import Content
from milan_core.core.seeding import generator
from milan_core.core.tensors import load_tensors, save_tensors

FILE, KIND, VERSION = DOMAIN, "milan-domain", 1
SHRINKAGE, QUANTILE, HELD_OUT = 0.1, 0.99, 0.25
FEWEST, MOST = 40, 8_000  # images that a domain is fitted to
LOOKED_AT = 400  # images of the user's, evenly spaced
FAR = 1.25  # distance over the limit from which an image is far outside
PARTLY = 0.25  # share of images outside from which to warn
OUTSIDE = 0.75  # share of images far outside above which the captioner is of no use

Verdict = Literal["inside", "partly", "outside", "unknown"]
ARRAYS = ("mean", "deviation", "precision")


@dataclass(frozen=True, eq=False)
class Domain:
    """The distribution of a captioner's training images.

    Attributes:
        mean: float32 [F].
        deviation: float32 [F]; 0 for features that are constant, which do not count.
        precision: float32 [F (F + 1) / 2], upper triangle of (C + 0.1 I)^-1, row by row.
        limit: distance from which an image is outside.
        images: training images, held-out ones included.
        encoder: digest of the encoder.

    """

    mean: np.ndarray
    deviation: np.ndarray
    precision: np.ndarray
    limit: float
    images: int
    encoder: str

    def distances(self, features: np.ndarray) -> np.ndarray:
        """float64 [n] of whole-image features [n, F]."""
        size = len(self.mean)
        upper = np.zeros((size, size))
        upper[np.triu_indices(size)] = self.precision
        precision = upper + np.triu(upper, 1).T
        z = _standardized(features, self.mean, self.deviation)
        return np.sqrt(np.maximum((z @ precision * z).sum(1), 0) / size)

    def shares(self, features: np.ndarray) -> tuple[float, float]:
        """Shares of images with features [n, F] that lie outside, and far outside."""
        distances = self.distances(features) / self.limit
        return float((distances > 1).mean()), float((distances > FAR).mean())


def fit_domain(features: np.ndarray, encoder: str, seed: int = 0) -> Domain | None:
    """The domain of training images; None for fewer than `FEWEST` different ones.

    Args:
        features: float [n, F], whole-image features; equal rows count once.
        encoder: digest of the encoder that made them.
        seed: of the quarter that is held out.

    """
    rows = np.unique(features, axis=0)
    if len(rows) < FEWEST:
        return None
    order = generator(seed, "captioner domain").permutation(len(rows))[:MOST]
    count = round(HELD_OUT * len(order))
    kept = rows[np.sort(order[:count])], rows[np.sort(order[count:])]
    held, fitted = (part.astype(np.float64) for part in kept)
    mean, deviation = fitted.mean(0), fitted.std(0)
    deviation[deviation <= 1e-6 * np.maximum(np.abs(mean), 1e-6)] = 0
    z = _standardized(fitted, mean, deviation)
    precision = np.linalg.inv(z.T @ z / len(z) + SHRINKAGE * np.eye(len(mean)))
    domain = Domain(
        mean.astype(np.float32),
        deviation.astype(np.float32),
        precision[np.triu_indices(len(mean))].astype(np.float32),
        limit=np.inf,
        images=len(order),
        encoder=encoder,
    )
    return replace(domain, limit=float(np.quantile(domain.distances(held), QUANTILE)))


def save_domain(domain: Domain | None, path: Path) -> None:
    """Write the domain; None: an empty file, which says that it is unknown."""
    if domain is None:
        save_tensors(path, KIND, VERSION, {}, {"unknown": True})
        return
    meta = {"limit": domain.limit, "images": domain.images, "encoder": domain.encoder}
    arrays = {name: getattr(domain, name) for name in ARRAYS}
    save_tensors(path, KIND, VERSION, arrays, meta)


class DomainMeta(Content):
    """Metadata of a file of `save_domain`: `unknown` and nothing else, or the rest."""

    unknown: bool = False
    limit: float = 0
    images: int = 0
    encoder: str = ""


@reads("the domain of a captioner", "train the captioner again")
def load_domain(path: Path) -> Domain | None:
    """The domain of a captioner's file; None for an empty one.

    Raises:
        UserError: for damage, and for arrays that do not belong together.

    """
    arrays, meta = load_tensors(path, KIND, DomainMeta, (VERSION,))
    if meta.unknown:
        return None
    limit, size = meta.limit, len(arrays["mean"])
    shapes = [arrays[name].shape for name in ARRAYS]
    if shapes != [(size,), (size,), (size * (size + 1) // 2,)] or not limit > 0:
        raise ValueError("its arrays do not belong together")
    mean, deviation, precision = (np.asarray(arrays[name], np.float32) for name in ARRAYS)
    if not np.isfinite(np.concatenate([mean, deviation, precision])).all():
        raise ValueError("its arrays are not finite")
    return Domain(mean, deviation, precision, limit, meta.images, meta.encoder)


def _standardized(features: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """float64 [n, F]; features without a deviation are 0."""
    known = deviation > 0
    centered = features.astype(np.float64) - mean
    return np.where(known, centered / np.where(known, deviation, 1), 0)


@dataclass(frozen=True)
class DomainCheck:
    """The share of a user's images outside the domain of a captioner.

    Attributes:
        share: of the images that are outside; None where the domain is unknown.
        far: share of those that are far outside; None as well.
        images: that were looked at.

    """

    share: float | None = None
    far: float | None = None
    images: int = 0

    @property
    def verdict(self) -> Verdict:
        """outside: over .75 of the images are far outside; inside: less than .25 are outside."""
        if self.share is None or self.far is None:
            return "unknown"
        if self.far > OUTSIDE:
            return "outside"
        return "partly" if self.share >= PARTLY else "inside"

    @property
    def sentence(self) -> str:
        """The finding in words."""
        if self.share is None:
            return "the captioner does not know its domain (domain unknown)"
        where = {
            "inside": "the images are like those that the captioner learned from",
            "partly": "part of the images are unlike those that the captioner learned from",
            "outside": "the images are unlike those that the captioner learned from",
        }
        shares = f"{self.share:.2f} of {self.images} outside its domain, {self.far:.2f} far"
        return f"{where[self.verdict]} ({shares})"


def check_domain(captioner: Recorded, encoder: Encoder | None, images: np.ndarray) -> DomainCheck:
    """Look whether a user's images lie in the domain of a captioner.

    Args:
        captioner: a loaded one; its folder may hold the domain.
        encoder: the captioner's; None: its domain is unknown anyway.
        images: uint8 (N, H, W, 3), RGB; at most `LOOKED_AT` of them are read.

    """
    domain = domain_of(captioner)
    if domain is None or encoder is None or not len(images):
        return DomainCheck()
    ids = np.unique(np.linspace(0, len(images) - 1, LOOKED_AT).round().astype(np.int64))
    features = whole_features(encoder, images, ids, pooling_of(captioner))
    if features.shape[1:] != domain.mean.shape:
        raise UserError(
            f"{captioner.origin}: {FILE} has {len(domain.mean)} features, the encoder gives "
            f"{features.shape[1]}; train the captioner again"
        )
    return DomainCheck(*domain.shares(features), len(ids))


def domain_of(captioner: Recorded) -> Domain | None:
    """The domain in a captioner's folder; None where it is unknown or of another encoder."""
    folder = captioner.origin
    if folder is None or not (folder / FILE).is_file():
        return None
    domain = load_domain(folder / FILE)
    if domain is not None and domain.encoder != captioner.meta.get("encoder_hash"):
        message = f"{folder / FILE} belongs to another captioner; train the captioner again"
        raise UserError(message)
    return domain


def whole_features(
    encoder: Encoder, images: np.ndarray, ids: np.ndarray, pooling: Pooling
) -> np.ndarray:
    """Features [n, F] of whole images, of the type that captioners learn from."""
    parts = []
    for part, maps in encoder.batches(images, ids):
        means = [level.astype(np.float32).mean((2, 3)) for level in maps]
        area = [np.ones((len(part), 1), np.float32)] if pooling.append_area else []
        parts.append(np.concatenate([*means, *area], 1))
    return np.concatenate(parts).astype(encoder.dtype)
