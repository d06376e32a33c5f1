"""Evidence packets: images that a unit responds to, over its whole range, and images that differ.

    packets = LayerPackets(maxima, PacketOptions())
    packets.of(7)       # positions of images, by role

Positives are the strongest images (A) and others spread over the firing range (B). Negatives are
images below the unit's median: hard ones, which the other units of the layer respond to as they do
to A, and those of the neighbor, the unit with the most similar strongest images (verification.md
S9).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from milan_core.describers.options import PacketOptions

STRONGEST = 100  # images of a unit that are compared with a neighbor's
BLOCK = 256  # units at once
ROUNDED = 4  # decimals of similarities, so that no order depends on how a sum was made


@dataclass(frozen=True)
class Packet:
    """Positions of images, int64 each, by role; none is in two roles.

    Attributes:
        top: the strongest, falling.
        range: over the firing range, falling.
        hard: look alike and do not fire, most similar first.
        neighbor: fire the neighbor and not this unit, the neighbor's strongest first.

    """

    top: np.ndarray
    range: np.ndarray
    hard: np.ndarray
    neighbor: np.ndarray


class LayerPackets:
    """Packets of the units of one layer.

    Args:
        maxima: float32 [U, n], largest activation of each unit in each image.
        options: how many images of each role.

    """

    def __init__(self, maxima: np.ndarray, options: PacketOptions) -> None:
        self._maxima, self._options = np.asarray(maxima, np.float32), options
        self._order = np.argsort(-self._maxima, axis=1, kind="stable")
        self._medians = np.median(self._maxima, axis=1)

    def of(self, unit: int) -> Packet:
        """The packet of one unit."""
        order, values = self._order[unit], self._maxima[unit]
        firing = order[values[order] > self._medians[unit]]
        top, rest = firing[: self._options.top], firing[self._options.top :]
        quiet = values <= self._medians[unit]
        hard = self._hard(unit, quiet)
        near = self._neighbors[unit] if self._options.neighbor else -1
        other = self._order[near] if near >= 0 else np.zeros(0, np.int64)
        other = other[quiet[other] & ~np.isin(other, hard)]
        if near >= 0:
            other = other[self._maxima[near][other] > self._medians[near]]
        return Packet(top, spread(rest, self._options.range), hard, other[: self._options.neighbor])

    def _hard(self, unit: int, quiet: np.ndarray) -> np.ndarray:
        """Quiet images that other units respond to as they do to the strongest ones."""
        if not self._options.hard or len(self._maxima) < 2:
            return np.zeros(0, np.int64)
        top = self._order[unit, : max(self._options.top, 1)]
        pattern = self._standardized[:, top].mean(1)
        pattern[unit] = 0
        lengths = np.sqrt(np.maximum(self._squares - self._standardized[unit] ** 2, 1e-12))
        similar = np.round(pattern @ self._standardized / lengths, ROUNDED)
        similar[~quiet] = -np.inf
        order = np.argsort(-similar, kind="stable")[: self._options.hard]
        return order[np.isfinite(similar[order])]

    @functools.cached_property
    def _standardized(self) -> np.ndarray:
        """Activations less their mean, by their deviation, without the layer's common gain."""
        a = self._maxima.astype(np.float64)
        a -= a.mean(1, keepdims=True)
        deviation = a.std(1, keepdims=True)
        a = np.divide(a, deviation, out=np.zeros_like(a), where=deviation > 0)
        return a - a.mean(0, keepdims=True)

    @functools.cached_property
    def _squares(self) -> np.ndarray:
        return (self._standardized**2).sum(0)

    @functools.cached_property
    def _neighbors(self) -> np.ndarray:
        """The unit with the most strongest images in common: int64 [U], -1 where none has any."""
        from scipy.sparse import csr_array

        units, images = self._maxima.shape
        count = min(STRONGEST, max(images // 10, 1))
        rows = np.repeat(np.arange(units), count)
        ones = np.ones(units * count, np.int32)
        strongest = csr_array((ones, (rows, self._order[:, :count].ravel())), (units, images))
        out = np.full(units, -1, np.int64)
        for start in range(0, units, BLOCK):
            shared = (strongest[start : start + BLOCK] @ strongest.T).toarray()
            shared[np.arange(len(shared)), start + np.arange(len(shared))] = 0
            best = shared.argmax(1)
            out[start : start + len(best)] = np.where(shared.max(1) > 0, best, -1)
        return out


def spread(ranked: np.ndarray, count: int) -> np.ndarray:
    """`count` of `ranked`, evenly over the ranks; all where there are fewer."""
    if len(ranked) <= count:
        return ranked
    return ranked[((np.arange(count) + 0.5) / count * len(ranked)).astype(np.int64)]
