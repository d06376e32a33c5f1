"""Steps of the referee: activations on held-out images."""

from __future__ import annotations

from milan_core.core.step import Compute, In, Out, Step
from milan_core.exemplars.options import Pool
from milan_core.networks.options import Network


class TableHeldOut(Step, name="referee.table", device=True):
    """Pool the activations of every unit on images that no describer sees (a second data set)."""

    model: Network
    weights: In | None = None
    dataset: In
    """The held-out images."""
    pools: list[Pool]
    mode: str = "top"
    table: Out

    def run(self, compute: Compute) -> None:
        """Write the table."""
        import sys

        from milan_core.core.options import narrowed
        from milan_core.exemplars.options import MiningRun
        from milan_core.exemplars.pooled import pool_dataset
        from milan_core.images.store import open_dataset
        from milan_core.networks.options import RunOptions
        from milan_core.networks.zoo import load_network

        run = MiningRun(
            **narrowed(self.model, RunOptions).model_dump(),
            device=compute.device,
            threads=compute.threads,
            progress=sys.stderr.isatty(),
        )
        network, images = load_network(self.model), open_dataset(self.dataset)
        table = pool_dataset(
            *(network, images, self.pools, run), mode=self.mode, name=self.model.name
        )
        table.save(self.table)
