"""Steps of the exemplars: mining of one shard, then the merge of all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from milan_core.core.step import Compute, In, Out, Step
from milan_core.exemplars.options import MiningOptions
from milan_core.networks.options import Network


class ScanShard(Step, name="exemplars.scan", device=True):
    """Pass one shard of the probe images through a network, all layers at once (section 3.1)."""

    model: Network
    weights: In | None = None
    dataset: In
    """The probe images."""
    options: MiningOptions
    part: int = 1
    """Number of the shard of images, from 1."""
    parts: int = 1
    """Number of shards of images."""
    block: int = 1
    """Number of the shard of units, from 1."""
    blocks: int = 1
    """Number of shards of units."""
    seed: int = 0
    """Of the sketched levels."""
    shard: Out
    table: Out | None = None
    """Pooled values of the shard's images, where `options.table` asks for some."""

    def run(self, compute: Compute) -> dict[str, Any]:
        """Write the state of the shard, and its table of pooled values."""
        from milan_core.core.options import narrowed
        from milan_core.exemplars.mine import mine_dataset
        from milan_core.exemplars.options import MiningRun
        from milan_core.images.store import open_dataset
        from milan_core.networks.options import RunOptions
        from milan_core.networks.precision import precision_facts
        from milan_core.networks.zoo import load_network

        run = MiningRun(
            **narrowed(self.model, RunOptions).model_dump(),
            device=compute.device,
            threads=compute.threads,
        )
        exemplars = mine_dataset(
            load_network(self.model),
            open_dataset(self.dataset),
            self.options,
            run,
            shard=(self.part - 1, self.parts),
            block=(self.block - 1, self.blocks),
            seed=self.seed,
            name=self.model.name,
        )
        exemplars.save(self.shard)
        if self.table is not None and exemplars.table is not None:
            exemplars.table.save(self.table)
        return {"probe": exemplars.probe, **precision_facts(run.dtype)}


class MergeShards(Step, name="exemplars.merge"):
    """Merge the shards of one network."""

    shards: list[In]
    tables: list[In] = Field([])
    """Tables of pooled values of all shards, where there are some."""
    exemplars: Out
    table: Out | None = None

    def run(self, compute: Compute) -> None:
        """Write the exemplars and the table of pooled values of all probe images."""
        from tempfile import TemporaryDirectory

        from milan_core.exemplars.merge import merge_files
        from milan_core.exemplars.table import merge_tables, open_table

        merge_files(self.shards).save(self.exemplars)
        if self.table is not None:
            with TemporaryDirectory(dir=self.table.parent) as scratch:
                merge_tables([open_table(path) for path in self.tables], Path(scratch)).save(
                    self.table
                )
