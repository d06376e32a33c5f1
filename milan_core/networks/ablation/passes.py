"""Forward passes over batches of images with sets of units ablated: what the engine counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn

from milan_core.networks.ablation.choice import Choice, State, effective
from milan_core.networks.ablation.closed_form import closed
from milan_core.networks.ablation.images import Inputs, check_logits, other_images
from milan_core.networks.ablation.methods import Masks
from milan_core.networks.ablation.recording import Plan
from milan_core.networks.ablation.replacement import Kind, Values, channel_axis
from milan_core.networks.ablation.replay import Memory
from milan_core.networks.feeding import on_way
from milan_core.networks.kept import eval_mode
from milan_core.networks.layouts import Layout
from milan_core.networks.options import InputSpec
from milan_core.networks.probe.settle import settle
from milan_core.networks.zoo import LoadedModel

_COPIES = 8  # ablations that share a forward pass
_CLOSED_NUMBERS = 2**22  # logits at a time in the closed form


class AblatedPasses:
    """Predictions of a network without sets of units, batch by batch.

    The first batch tells the order of the layers and their units. A method (`methods`) is chosen
    for each earliest layer when it is first ablated, and kept until `forget_methods`.

    Args:
        model: on its device.
        names: of the layers whose units are ablated.
        inputs: of the network, by rows.
        labels: int64 (n,); the logits must have a class for each.
        batch_size: images times ablations in one forward pass.
        device: of the network.
        replacement: what an ablated unit gives.
        seed: chooses the images that "resample" takes maps from.
        layout: of the layers.

    Raises:
        UserError: for logits without a class for every label, and layers whose axes are unknown.

    """

    def __init__(
        self,
        model: nn.Module,
        names: Sequence[str],
        inputs: Inputs,
        labels: np.ndarray,
        batch_size: int,
        device: str,
        *,
        replacement: Kind,
        seed: int,
        layout: Layout,
    ) -> None:
        self.model = model
        self.batch_images = min(len(inputs), max(1, batch_size // _COPIES))
        """Images of one batch, the last one excepted."""
        self._inputs, self._device, self._batch_size = inputs, device, batch_size
        self._kind, self._sources = replacement, other_images(len(inputs), seed)
        self._choices: dict[tuple[str, bool], Choice] = {}
        with eval_mode(self.model):
            self._observe(list(names), labels, layout)
            self._means = self._mean_activations() if replacement == "mean" else {}

    def _observe(self, names: list[str], labels: np.ndarray, layout: Layout) -> None:
        """Learn the order of the layers and their units from the first batch."""
        with torch.no_grad():
            batch = self._batch(np.arange(self.batch_images))
            self._plan = Plan.of(self.model, names, batch)
            memory = Memory.of(self.model, self._plan, batch, calls=False)
        check_logits(memory.logits, labels)
        settle(LoadedModel(self.model, InputSpec(), names, [], layout), batch[:2], lambda x: x)
        self._axes = {name: channel_axis(memory.layers[name], name, layout) for name in names}
        self._widths = {name: memory.layers[name].shape[self._axes[name]] for name in names}
        self.units = {
            name: width if layout.units is None else min(width, layout.units)
            for name, width in self._widths.items()
        }
        """Number of units by layer."""

    @property
    def layers(self) -> Sequence[str]:
        """The ablated layers in the order in which they run."""
        return self._plan.layers

    def methods(self) -> dict[tuple[str, bool], str]:
        """Methods in use, by (earliest ablated layer, whether later layers are ablated too)."""
        return {key: choice.name for key, choice in self._choices.items()}

    def forget_methods(self) -> None:
        """Choose methods anew, on the next batch."""
        self._choices.clear()

    def batches(self) -> Iterator[np.ndarray]:
        """The rows int64 (b,) of each batch of images, in their order."""
        for start in range(0, len(self._inputs), self.batch_images):
            yield np.arange(start, min(start + self.batch_images, len(self._inputs)))

    def predict(self, rows: np.ndarray, states: Sequence[State]) -> np.ndarray:
        """Classes of the images `rows` (b,) without the units of each state; int64 (states, b)."""
        with eval_mode(self.model), torch.no_grad():
            return self._predict(rows, states)

    def _predict(self, rows: np.ndarray, states: Sequence[State]) -> np.ndarray:
        memory = Memory.of(self.model, self._plan, self._batch(rows))
        values = self._values(rows, memory)
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
                logits = choice.method(self.model, self._plan, memory, values, masks)
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
            layers = self.layers[self.layers.index(first) :] if several else [first]
            self._choices[key] = Choice.by_trial(
                self.model, self._plan, memory, values, layers, self._masks
            )
        return self._choices[key]

    def _masks(self, states: Sequence[State]) -> Masks:
        """Bool (S, C) per layer that some of the S states ablate."""
        masks: dict[str, torch.Tensor] = {}
        for name in self.layers:
            if any(name in state for state in states):
                mask = np.zeros((len(states), self._widths[name]), dtype=bool)
                for copy, state in enumerate(states):
                    mask[copy, state.get(name, [])] = True
                masks[name] = torch.from_numpy(mask).to(self._device)
        return masks

    def _batch(self, rows: np.ndarray) -> torch.Tensor:
        return self._inputs[rows].to(self._device)

    def _values(self, rows: np.ndarray, memory: Memory) -> dict[str, Values]:
        """The replacement values of each layer's ablated units for the images `rows`."""
        of = self._means
        if self._kind == "resample":
            others = self._batch(self._sources[rows])
            with memory.again():
                of = Memory.of(self.model, self._plan, others, calls=False).layers
        return {name: Values(self._axes[name], of.get(name)) for name in self.layers}

    def _mean_activations(self) -> dict[str, torch.Tensor]:
        """Mean of every unit over images and positions, (C,) per layer in the layer's own type."""
        sums: dict[str, torch.Tensor] = {}
        kinds: dict[str, torch.dtype] = {}
        with torch.no_grad():
            for rows in self.batches():
                memory = Memory.of(self.model, self._plan, self._batch(rows), calls=False)
                for name, output in memory.layers.items():
                    maps = output.double().movedim(self._axes[name], 1)
                    total = maps.reshape(len(rows), self._widths[name], -1).mean(2).sum(0)
                    sums[name] = sums[name] + total if name in sums else total
                    kinds[name] = output.dtype
        return {name: (total / len(self._inputs)).to(kinds[name]) for name, total in sums.items()}
