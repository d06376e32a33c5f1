"""The loop of mining over batches, and the statistics that it collects of each layer."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from milan_core.core.errors import UserError
from milan_core.exemplars.batches import Batch
from milan_core.exemplars.blocks import UnitBlock
from milan_core.exemplars.forward import as_inputs
from milan_core.exemplars.options import MiningOptions, MiningRun
from milan_core.exemplars.pooled import PooledValues
from milan_core.exemplars.sample import sample_state, stretches
from milan_core.exemplars.sketch import QuantileSketch
from milan_core.exemplars.status import FlatUnits
from milan_core.networks.probe.result import Probe
from milan_core.networks.trace import Trace
from milan_core.networks.zoo import LoadedModel
from milan_core.ops import ScanState

LEVELS = {"binned": 10, "exact": 23, "sketch": 10}  # mantissa bits of a histogram bin


class Scan:
    """One pass over batches; its results are `states`, `samples`, `sketches`, `flat`, `pooled`."""

    def __init__(
        self,
        network: LoadedModel,
        options: MiningOptions,
        run: MiningRun,
        heldout: np.ndarray,
        sampled: np.ndarray,
        seed: int,
        probed: Probe,
        block: UnitBlock,
    ) -> None:
        self.trace = Trace(
            network.module,
            network.layers,
            self._receive,
            post_relu=network.post_relu,
            compiled=run.compile,
        )
        self.states: dict[str, ScanState] = {}
        self.samples: dict[str, ScanState] = {}
        self.sketches: dict[str, QuantileSketch] = {}
        self.flat = FlatUnits()
        self.total = int((~heldout).sum())  # images that are mined
        self._heldout, self._sampled = heldout, sampled
        self._options, self._run, self._seed = options, run, seed
        self._layout, self._probed = network.layout, probed
        self._block = block
        self.pooled = PooledValues(options.table, options.mode)
        self._ids = np.zeros(0, np.int64)  # of the batch that is under way
        self._rows = 0  # of that batch, with those that fill it up
        self._forms: dict[str, tuple[int, ...]] = {}
        self._first = True  # the first batch is under way

    def run(self, batches: Iterable[Batch]) -> None:
        """Pass every batch through the network once."""
        with torch.no_grad(), self.trace:
            for number, (batch, self._ids) in enumerate(batches):
                self._rows = len(batch)
                self.trace(as_inputs(batch, self._run.device))
                self._first = False
                self.pooled.ids.append(self._ids)
                rarely = number & (number - 1) == 0  # looking settles what the kernel buffers
                self._refuse_nan(rarely=rarely)
        self._refuse_nan(rarely=True, finished=True)

    def _receive(self, layer: str, output: torch.Tensor) -> None:
        maps, _ = self._layout.maps(output, layer)
        self._probed.check_rows(layer, maps, self._rows)
        if self._first and len(self._ids):
            self._probed.check_first(layer, maps)
        maps = self._block.units(layer, maps)
        self._check_size(layer, maps)
        maps = maps[: len(self._ids)]  # the rows that fill up the last batch have no id
        if maps.dtype not in (torch.float32, torch.float16, torch.bfloat16):
            maps = maps.float()
        if layer not in self.states:
            self._begin(layer, maps)
        if self._heldout[self._ids].any():  # no batch holds both
            self.pooled.add(layer, maps)
            return
        asked = "max" in self.pooled.pools
        maxima = self.states[layer].update(maps, self._ids, self._run.threads, maxima=asked)
        self.pooled.add(layer, maps, maxima)
        if len(self._ids):
            self.flat.add(layer, maps)
        if layer in self.sketches:
            self.sketches[layer].update(maps)
        for rows in stretches(self._sampled[self._ids]):
            self.samples[layer].update(maps[rows], self._ids[rows], self._run.threads)

    def _check_size(self, layer: str, maps: torch.Tensor) -> None:
        """Refuse maps of another form than those of the first batch."""
        form = tuple(maps.shape[1:])
        if self._forms.setdefault(layer, form) != form:
            msg = (
                f"layer {layer!r} gives maps of (units, height, width) {form} for some images and "
                f"{self._forms[layer]} for others: its form depends on the images; choose another "
                "layer"
            )
            raise UserError(msg)

    def _begin(self, layer: str, maps: torch.Tensor) -> None:
        _, units, height, width = maps.shape
        options, shape = self._options, (height, width)
        self.states[layer] = ScanState(
            units,
            shape,
            k=options.k,
            quantile=options.quantile,
            mode=options.mode,
            total_images=self.total,
            bits=LEVELS[options.levels],
        )
        if options.levels == "sketch":
            self.sketches[layer] = QuantileSketch(units, options.mode, self._seed, layer)
        if size := int(self._sampled.sum()):
            self.samples[layer] = sample_state(units, shape, size, self.total, options.mode)

    def _refuse_nan(self, *, rarely: bool, finished: bool = False) -> None:
        """Look at the counts; before the end, on a device, only once it has reported NaN."""
        for layer, state in self.states.items():
            if not (finished or (state.seen_nan if state.on_device else rarely)):
                continue
            nan = state.counts()["nan"]
            if nan.any():
                msg = (
                    f"layer {layer!r}: {int((nan > 0).sum())} of {len(nan)} units are NaN within "
                    f"the first {state.images} images; check the weights and the input "
                    "normalization (mean, std) of this model"
                )
                raise UserError(msg)
