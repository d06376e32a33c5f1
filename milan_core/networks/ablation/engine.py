"""Accuracy under ablation for many sets of units (paper sections 5 and 7; spec 5.3, 5.5, 6.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import nn

from milan_core.core.errors import UserError, unknown
from milan_core.core.units import UnitKey
from milan_core.networks.ablation.choice import Choice, State, effective
from milan_core.networks.ablation.closed_form import closed
from milan_core.networks.ablation.images import (
    Inputs,
    check_logits,
    checked_labels,
    other_images,
    resident,
)
from milan_core.networks.ablation.methods import Masks
from milan_core.networks.ablation.recording import Plan
from milan_core.networks.ablation.replacement import KINDS, Kind, Values, channel_axis
from milan_core.networks.ablation.replay import Memory
from milan_core.networks.feeding import on_way
from milan_core.networks.layouts import Layout
from milan_core.networks.options import InputSpec
from milan_core.networks.probe.settle import settle
from milan_core.networks.trace import eval_mode, resolve_layers
from milan_core.networks.zoo import LoadedModel

_COPIES = 8  # ablations that share a forward pass
_CLOSED_NUMBERS = 2**22  # logits at a time in the closed form


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
        self._model, self._kind = model.to(device), replacement
        self._inputs = resident(inputs, device)
        self._device, self._batch_size = device, batch_size
        self._images = min(len(inputs), max(1, batch_size // _COPIES))
        self._sources = other_images(len(inputs), seed)
        self._choices: dict[tuple[str, bool], Choice] = {}
        self._observe(resolve_layers(model, layers), layout or Layout())
        self._means = self._mean_activations() if replacement == "mean" else {}

    def _observe(self, names: list[str], layout: Layout) -> None:
        """Learn the order of the layers and their units from the first batch."""
        with eval_mode(self._model), torch.no_grad():
            batch = self._batch(np.arange(self._images))
            self._plan = Plan.of(self._model, names, batch)
            memory = Memory.of(self._model, self._plan, batch, calls=False)
        check_logits(memory.logits, self.labels)
        network = LoadedModel(self._model, InputSpec(), names, [], layout)
        settle(network, batch[:2], lambda rows: rows)
        self._axes = {name: channel_axis(memory.layers[name], name, layout) for name in names}
        self._widths = {name: memory.layers[name].shape[self._axes[name]] for name in names}
        self._counts = {
            name: width if layout.units is None else min(width, layout.units)
            for name, width in self._widths.items()
        }
        self.units: list[UnitKey] = [(name, unit) for name in names for unit in self._range(name)]
        self._index = {unit: index for index, unit in enumerate(self.units)}

    def _range(self, layer: str) -> range:
        return range(self._counts[layer])

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
        return -(-len(list(self._batches())) // self._per_block(images))

    def right(self, states: Sequence[Sequence[int]], block: int, images: int) -> np.ndarray:
        """Images of a block (`blocks`) classified correctly without each set of indices of units.

        A function of the block alone: methods are chosen on its first batch. int64 (states,).
        """
        size = self._per_block(images)
        batches = list(self._batches())[block * size : (block + 1) * size]
        self._choices.clear()
        return self._right([tuple(state) for state in states], batches)

    def _per_block(self, images: int) -> int:
        return max(1, images // self._images)

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
        return np.concatenate([guess for _, guess in self._scan(states, self._batches())], axis=1)

    def indices(self, units: Sequence[UnitKey]) -> list[int]:
        """Indices of the given units in `units`; refuses units that the layers do not have."""
        for layer, unit in units:
            if layer not in self._counts:
                raise unknown("layer", layer, self._counts, "the ablated network's layers")
            if unit not in self._range(layer):
                msg = f"layer {layer!r} has units 0 to {self._counts[layer] - 1}, got unit {unit}"
                raise UserError(msg)
        return [self._index[layer, unit] for layer, unit in units]

    def methods(self) -> dict[tuple[str, bool], str]:
        """Methods in use, by (earliest ablated layer, whether later layers are ablated too)."""
        return {key: choice.name for key, choice in self._choices.items()}

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
        return self._right(states, self._batches()) / len(self.labels)

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
        for rows in batches:
            with eval_mode(self._model), torch.no_grad():
                yield rows, self._predict(rows, by_layer)[repeated]

    def _by_layer(self, state: Sequence[int]) -> State:
        """Units of a state per layer, in the order in which the layers run."""
        by_layer: State = {name: [] for name in self._plan.layers}
        for index in state:
            layer, unit = self.units[index]
            by_layer[layer].append(unit)
        return {name: units for name, units in by_layer.items() if units}

    def _predict(self, rows: np.ndarray, states: Sequence[State]) -> np.ndarray:
        memory = Memory.of(self._model, self._plan, self._batch(rows))
        values = self._values(rows)
        differing = [values[name].differs(output) for name, output in memory.layers.items()]
        ends = np.cumsum([len(units) for units in differing])[:-1]
        parts = np.split(torch.cat(differing).cpu().numpy(), ends)
        changing = dict(zip(memory.layers, parts, strict=True))
        guess = memory.logits.argmax(1).repeat(len(states), 1)
        groups: dict[tuple[str, bool], list[tuple[int, State]]] = {}
        for index, state in enumerate(states):
            if left := effective(state, changing):
                groups.setdefault((next(iter(left)), len(left) > 1), []).append((index, left))
        for key, members in groups.items():
            choice = self._choice(key, memory, values)
            size = max(1, self._limit(choice, memory) // len(rows))
            for start in range(0, len(members), size):
                chosen, part = zip(*members[start : start + size], strict=True)
                masks = self._masks(part)
                logits = choice.method(self._model, self._plan, memory, values, masks)
                guess[on_way(np.array(chosen), guess.device)] = logits.argmax(2)
        return guess.cpu().numpy()

    def _limit(self, choice: Choice, memory: Memory) -> int:
        """Images times ablations in one pass."""
        if choice.method is closed:
            return _CLOSED_NUMBERS // memory.logits.shape[1]
        return self._batch_size

    def _choice(self, key: tuple[str, bool], memory: Memory, values: dict[str, Values]) -> Choice:
        if key not in self._choices:
            first, several = key
            order = self._plan.layers
            layers = order[order.index(first) :] if several else [first]
            self._choices[key] = Choice.by_trial(
                self._model, self._plan, memory, values, layers, self._masks
            )
        return self._choices[key]

    def _masks(self, states: Sequence[State]) -> Masks:
        """Bool (S, C) per layer that some of the S states ablate."""
        masks: dict[str, torch.Tensor] = {}
        for name in self._plan.layers:
            if any(name in state for state in states):
                mask = np.zeros((len(states), self._widths[name]), dtype=bool)
                for copy, state in enumerate(states):
                    mask[copy, state.get(name, [])] = True
                masks[name] = torch.from_numpy(mask).to(self._device)
        return masks

    def _batches(self) -> Iterator[np.ndarray]:
        for start in range(0, len(self.labels), self._images):
            yield np.arange(start, min(start + self._images, len(self.labels)))

    def _batch(self, rows: np.ndarray) -> torch.Tensor:
        return self._inputs[rows].to(self._device)

    def _values(self, rows: np.ndarray) -> dict[str, Values]:
        """The replacement values of each layer's ablated units for the images `rows`."""
        of = self._means
        if self._kind == "resample":
            others = self._batch(self._sources[rows])
            of = Memory.of(self._model, self._plan, others, calls=False).layers
        return {name: Values(self._axes[name], of.get(name)) for name in self._plan.layers}

    def _mean_activations(self) -> dict[str, torch.Tensor]:
        """Mean of every unit over images and positions, (C,) per layer in the layer's own type."""
        sums: dict[str, torch.Tensor] = {}
        kinds: dict[str, torch.dtype] = {}
        with eval_mode(self._model), torch.no_grad():
            for rows in self._batches():
                memory = Memory.of(self._model, self._plan, self._batch(rows), calls=False)
                for name, output in memory.layers.items():
                    maps = output.double().movedim(self._axes[name], 1)
                    total = maps.reshape(len(rows), self._widths[name], -1).mean(2).sum(0)
                    sums[name] = sums[name] + total if name in sums else total
                    kinds[name] = output.dtype
        return {name: (total / len(self.labels)).to(kinds[name]) for name, total in sums.items()}
