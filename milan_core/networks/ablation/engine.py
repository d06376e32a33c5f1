"""Accuracy under ablation for many sets of units (paper sections 5 and 7; spec 5.3, 5.5, 6.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from torch import nn

from milan_core.core.errors import UserError, unknown
from milan_core.core.units import UnitKey
from milan_core.networks.ablation.choice import State
from milan_core.networks.ablation.images import Inputs, checked_labels, resident
from milan_core.networks.ablation.passes import AblatedPasses
from milan_core.networks.ablation.replacement import KINDS, Kind
from milan_core.networks.kept import eval_mode
from milan_core.networks.layouts import Layout
from milan_core.networks.trace import resolve_layers


class AblationEngine:
    """Top-1 accuracy of a network with any of its units ablated.

    Ablating a unit replaces its channel at the hooked layer's output, for every image and position,
    by zero, by its mean over images and positions, or by its map for another image. For each batch
    of images, what an ablation cannot change is kept from one forward pass, and the rest is run for
    many ablations at once. How, is decided per layer on the first batch: the fastest method whose
    logits agree with whole forward passes (`methods`).

    Logits agree with whole forward passes up to the summation order of the machine's kernels
    (about 1e-6 of the largest logit in float32), so a prediction can differ only where two classes
    are that close.

    Args:
        model: any torch module that gives logits (b, classes), or a tuple or mapping that begins
            with them.
        layers: names or patterns of layers that give (b, C, h, w), (b, T, C) or (b, C).
        inputs: float (n, ...) tensor, or an object that gives one for rows (`PreparedImages`).
        labels: int (n,).
        batch_size: images times ablations in one forward pass.
        device: where the network runs; on a GPU the images stay there, where they fit.
        replacement: "zero" (the paper's), "mean" or "resample".
        seed: chooses the images that "resample" takes maps from.
        layout: of the network's layers, where it differs from the default.

    """

    def __init__(
        self,
        model: nn.Module,
        layers: str | Iterable[str],
        inputs: Inputs,
        labels: np.ndarray,
        batch_size: int = 64,
        device: str = "cpu",
        *,
        replacement: Kind = "zero",
        seed: int = 0,
        layout: Layout | None = None,
    ) -> None:
        if batch_size < 1:
            msg = f"batch_size is {batch_size}; expected 1 or more"
            raise UserError(msg)
        if replacement not in KINDS:
            raise unknown("replacement", replacement, KINDS)
        self.labels = checked_labels(inputs, labels)
        names = resolve_layers(model, layers)
        self._passes = AblatedPasses(
            *(model.to(device), names, resident(inputs, device), self.labels, batch_size, device),
            replacement=replacement,
            seed=seed,
            layout=layout or Layout(),
        )
        self.units: list[UnitKey] = [
            (name, unit) for name in names for unit in range(self._passes.units[name])
        ]
        self._index = {unit: index for index, unit in enumerate(self.units)}

    def accuracy(self) -> float:
        """Accuracy of the network as it is."""
        return self.set(())

    def single(self, units: Sequence[UnitKey]) -> np.ndarray:
        """Accuracy with one unit ablated, for each of `units`; float64 (n,)."""
        return self._accuracies([(index,) for index in self.indices(units)])

    def curve(self, orders: np.ndarray, steps: Sequence[int]) -> np.ndarray:
        """Accuracy with the first `steps[j]` units of each order ablated.

        Args:
            orders: int (o, n), rows of indices into `units`, each at most once.
            steps: numbers of units, each from 0 to n.

        Returns:
            float64 (o, len(steps)).

        """
        states = self.states(orders, steps)
        return self._accuracies(states).reshape(-1, len(steps))

    def without(self, sets: Sequence[Sequence[UnitKey]]) -> np.ndarray:
        """Accuracy with all units of a set ablated together, for each set; float64 (sets,)."""
        return self._accuracies([tuple(self.indices(units)) for units in sets])

    def blocks(self, images: int) -> int:
        """Number of blocks of whole batches with at most `images` images, at least one batch."""
        return -(-len(list(self._passes.batches())) // self._per_block(images))

    def right(self, states: Sequence[Sequence[int]], block: int, images: int) -> np.ndarray:
        """Images of a block (`blocks`) classified correctly without each set of indices of units.

        A function of the block alone: methods are chosen on its first batch. int64 (states,).
        """
        size = self._per_block(images)
        batches = list(self._passes.batches())[block * size : (block + 1) * size]
        self._passes.forget_methods()
        return self._right([tuple(state) for state in states], batches)

    def _per_block(self, images: int) -> int:
        return max(1, images // self._passes.batch_images)

    def states(self, orders: np.ndarray, steps: Sequence[int]) -> list[tuple[int, ...]]:
        """The sets of indices that `curve` ablates: the steps of the first order, and so on."""
        orders = np.atleast_2d(np.asarray(orders))
        self._check_orders(orders, steps)
        return [tuple(order[:step].tolist()) for order in orders for step in steps]

    def set(self, units: Sequence[UnitKey]) -> float:
        """Accuracy with all of `units` ablated together."""
        return float(self.without([units])[0])

    def predictions(self, units: Sequence[UnitKey] = ()) -> np.ndarray:
        """Predicted class of every image with all of `units` ablated together; int64 (images,)."""
        return self.predictions_each([units])[0]

    def predictions_each(self, sets: Sequence[Sequence[UnitKey]]) -> np.ndarray:
        """`predictions` without each set of units, in one pass; int64 (sets, images)."""
        states = [tuple(self.indices(units)) for units in sets]
        return np.concatenate(
            [guess for _, guess in self._scan(states, self._passes.batches())], axis=1
        )

    def indices(self, units: Sequence[UnitKey]) -> list[int]:
        """Indices of the given units in `units`; refuses units that the layers do not have."""
        counts = self._passes.units
        for layer, unit in units:
            if layer not in counts:
                raise unknown("layer", layer, counts, "the ablated network's layers")
            if unit not in range(counts[layer]):
                msg = f"layer {layer!r} has units 0 to {counts[layer] - 1}, got unit {unit}"
                raise UserError(msg)
        return [self._index[layer, unit] for layer, unit in units]

    def methods(self) -> dict[tuple[str, bool], str]:
        """Methods in use, by (earliest ablated layer, whether later layers are ablated too)."""
        return self._passes.methods()

    def _check_orders(self, orders: np.ndarray, steps: Sequence[int]) -> None:
        if orders.size and not 0 <= orders.min() <= orders.max() < len(self.units):
            msg = f"an order of ablations holds indices outside 0 to {len(self.units) - 1}"
            raise UserError(msg)
        if any(len(set(order.tolist())) < len(order) for order in orders):
            msg = "an order of ablations names a unit twice"
            raise UserError(msg)
        if any(not 0 <= step <= orders.shape[1] for step in steps):
            msg = f"steps {list(steps)} go beyond the {orders.shape[1]} units of an order"
            raise UserError(msg)

    def _accuracies(self, states: Sequence[tuple[int, ...]]) -> np.ndarray:
        return self._right(states, self._passes.batches()) / len(self.labels)

    def _right(
        self, states: Sequence[tuple[int, ...]], batches: Iterable[np.ndarray]
    ) -> np.ndarray:
        """Images of some batches that are right without each set of units; int64 (states,)."""
        right = np.zeros(len(states), dtype=np.int64)
        for rows, guess in self._scan(states, batches):
            right += (guess == self.labels[rows]).sum(1)
        return right

    def _scan(
        self, states: Sequence[tuple[int, ...]], batches: Iterable[np.ndarray]
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Per batch: its rows, and int64 (states, b) predictions; equal sets of units run once."""
        distinct = {key: row for row, key in enumerate(dict.fromkeys(map(frozenset, states)))}
        repeated = [distinct[frozenset(state)] for state in states]
        by_layer = [self._by_layer(sorted(key)) for key in distinct]
        with eval_mode(self._passes.model):
            for rows in batches:
                yield rows, self._passes.predict(rows, by_layer)[repeated]

    def _by_layer(self, state: Sequence[int]) -> State:
        """Units of a state per layer, in the order in which the layers run."""
        by_layer: State = {name: [] for name in self._passes.layers}
        for index in state:
            layer, unit = self.units[index]
            by_layer[layer].append(unit)
        return {name: units for name, units in by_layer.items() if units}
