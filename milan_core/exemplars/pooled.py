"""One pooled value of every unit on every image, from the batches of a pass through the network.

The mining pass gives the table of its images as a by-product; `pool_dataset` passes other images
for their table alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from milan_core.core.errors import UserError
from milan_core.core.files import canonical_json
from milan_core.core.progress import tracked
from milan_core.exemplars.forward import as_inputs, on_device
from milan_core.exemplars.options import MiningRun, Pool
from milan_core.exemplars.probed import probe, unchanged
from milan_core.exemplars.sources import open_source
from milan_core.exemplars.state import Header
from milan_core.exemplars.table import ActivationTable, TableFacts, merge_tables
from milan_core.images.store import Dataset
from milan_core.networks.kept import eval_mode
from milan_core.networks.precision import in_precision
from milan_core.networks.trace import Trace
from milan_core.networks.zoo import LoadedModel, model_hash

_LANES = 32  # channels that torch reduces at once where they lie next to each other


class PooledValues:
    """Collects pooled values batch by batch, on the device of the activations.

    Args:
        pools: how a map becomes one number: its largest value, its mean.
        mode: as mining: activations are negated first (`bottom`) or made absolute (`magnitude`).

    """

    def __init__(self, pools: Sequence[Pool], mode: str) -> None:
        self.pools, self._mode = tuple(pools), mode
        self.ids: list[np.ndarray] = []  # int64, of every batch that was added
        self._parts: dict[str, dict[Pool, list[torch.Tensor]]] = {}

    def add(self, layer: str, maps: torch.Tensor, maxima: np.ndarray | None = None) -> None:
        """Take in the maps (B, U, h, w) of a batch of one layer.

        `maxima` are their largest values float32 [B, U], changed as by `mode`, where a scan of the
        same maps gave them; then the maps are read for their means only.
        """
        parts = self._parts.setdefault(layer, {pool: [] for pool in self.pools})
        for pool in self.pools:
            if pool == "mean":
                values = self._mean(maps)
            else:
                values = self._largest(maps) if maxima is None else torch.from_numpy(maxima)
            parts[pool].append(values.float() + 0.0)  # -0 becomes 0: one zero, one set of bytes

    def _mean(self, maps: torch.Tensor) -> torch.Tensor:
        means = (maps.abs() if self._mode == "magnitude" else maps).float().mean((2, 3))
        return -means if self._mode == "bottom" else means

    def _largest(self, maps: torch.Tensor) -> torch.Tensor:
        if self._mode == "bottom":
            return -maps.amin((2, 3))
        if self._mode == "magnitude":
            maps = maps.abs()
        # The reduction is slow over channels that do not fill its lanes (48: 4x); pooling is not.
        aligned = maps.shape[1] % _LANES == 0 or maps.is_contiguous()
        if aligned or maps.device.type != "cpu":
            return maps.amax((2, 3))
        return functional.max_pool2d(maps, maps.shape[2:])[:, :, 0, 0]

    def table(self, header: Header, heldout: np.ndarray) -> ActivationTable | None:
        """The table of the shard of `header`, images by number; None where none was asked for.

        The collected batches are given up meanwhile, layer by layer.
        """
        if not self.pools:
            return None
        facts = {
            "model": header.model,
            "model_hash": header.model_hash,
            "dataset": header.dataset,
            "images": header.images,
            "mode": header.mode,
            "input": header.input,
            "dtype": header.dtype,
            "split": header.heldout,
            "block": header.block,
            "blocks": header.blocks,
        }
        return self.joined(header.layers, heldout, facts)

    def joined(
        self, layers: Sequence[str], heldout: np.ndarray, facts: dict[str, Any]
    ) -> ActivationTable:
        """The table of everything that was added; `facts` are those of `TableFacts`."""
        ids = np.concatenate(self.ids)
        order = np.argsort(ids)
        units = {name: self._parts[name][self.pools[0]][0].shape[1] for name in layers}
        made_of = TableFacts(layers=tuple(units.items()), pools=self.pools, **facts)
        shape = (made_of.units, len(order))
        values = {pool: np.empty(shape, np.float32) for pool in self.pools}
        first = 0
        for name, count in units.items():
            for pool, parts in self._parts.pop(name).items():
                rows = torch.cat(parts).cpu().numpy()[order]
                values[pool][first : first + count] = rows.T
            first += count
        return ActivationTable(made_of, ids[order], heldout[ids[order]], values)


def pool_dataset(
    network: LoadedModel,
    dataset: Dataset,
    pools: Sequence[Pool],
    run: MiningRun,
    *,
    mode: str = "top",
    name: str = "",
) -> ActivationTable:
    """The whole table of a data set that no describer has seen: all its images are held out.

    Values are those that mining would give, without statistics or exemplars.

    Raises:
        UserError: for layers that cannot be read, and values that are NaN.

    """
    source = open_source(dataset, network.input)
    pooled = PooledValues(pools, mode)
    ids = np.zeros(0, np.int64)

    def receive(layer: str, output: torch.Tensor) -> None:
        maps, _ = network.layout.maps(output, layer)
        probed.check_rows(layer, maps, run.batch_size)
        pooled.add(layer, maps[: len(ids)])

    trace = Trace(
        *(network.module, network.layers, receive),
        post_relu=network.post_relu,
        compiled=run.compile,
    )
    weights = model_hash(network.module)
    with (
        eval_mode(network.module),
        on_device(network.module, run.device),
        in_precision(run.dtype, run.device),
    ):
        probed = probe(network, source, run.device)
        with torch.no_grad(), trace:
            batches = source.batches((0, 1), run.batch_size, device=run.device)
            for batch, ids in tracked(
                batches, "activations", "image", total=source.total, size=lambda one: len(one[1])
            ):
                trace(as_inputs(batch, run.device))
                pooled.ids.append(ids)
        unchanged(network, probed, run.device)
    facts = {
        "model": name or type(network.module).__name__,
        "model_hash": weights,
        "dataset": source.fingerprint,
        "images": source.total,
        "mode": mode,
        "input": canonical_json(source.input.facts()) if source.input else "",
        "dtype": run.dtype,
        "split": "data set",
    }
    table = pooled.joined(trace.layers, np.ones(source.total, bool), facts)
    for rows, block in table.blocks(pools[0]):
        if np.isnan(block).any():
            layer, unit = table.keys[int(rows[np.isnan(block).any(1)][0])]
            raise UserError(
                f"layer {layer!r}: unit {unit} is NaN on held-out images; check the weights and "
                "the input normalization (mean, std) of this model"
            )
    return merge_tables([table])
