"""Steps of the referee: activations on held-out images, and the judge that is trained here."""

from __future__ import annotations

from typing import Any

from milan_core.captioner.features.options import JobEncoder
from milan_core.core.step import Compute, In, Out, OutFolder, Step
from milan_core.exemplars.options import Pool
from milan_core.networks.options import Network
from milan_core.referee.options import MiniTraining


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


class TrainJudge(Step, name="referee.train_judge", device=True):
    """Train the mini judge on training scenes of a world, whose content is known."""

    encoder: JobEncoder
    """The frozen network of images, and its layers."""
    weights: In | None = None
    """The network's weights."""
    dataset: In
    """Training scenes."""
    text: In | None = None
    """Asset with the frozen encoder of texts; none: random word vectors."""
    options: MiniTraining
    seed: int = 0
    judge: OutFolder

    def run(self, compute: Compute) -> dict[str, Any]:
        """Write the judge."""
        from milan_core.images.store import open_dataset
        from milan_core.networks.zoo import load_network
        from milan_core.referee.judges.frozen import SentenceVectors, WordSums
        from milan_core.referee.judges.mini import save_folder
        from milan_core.referee.judges.training import train
        from milan_core.scoring.vectors import encoder_folder

        network, images = load_network(self.encoder.model), open_dataset(self.dataset)
        network.module.to(compute.device)
        texts = SentenceVectors(encoder_folder(self.text)) if self.text else WordSums()
        maps, facts = train(network, self.encoder, texts, images, self.options, self.seed)
        save_folder(self.judge, maps, self.encoder, texts, facts)
        return {key: facts[key] for key in ("scenes", "phrases", "loss")}
