"""Step of the networks: training one of them here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from milan_core.core.step import Compute, In, Out, Step
from milan_core.networks.options import Architecture, Network
from milan_core.networks.weight_options import Training


class TrainNetwork(Step, name="networks.train", device=True, timed=("training.csv",)):
    """Train a network; a killed run goes on from its last epoch."""

    model: Architecture
    training: Training
    teacher: Network | None = None
    train: In
    """Data set to train on."""
    tests: list[In] = Field([], description="Data sets to report the accuracy on")
    teacher_weights: In | None = None
    seed: int = 0
    weights: Out
    history: Out
    accuracy: Out

    def run(self, compute: Compute) -> dict[str, Any]:
        """Write the weights, the loss of each epoch and the accuracy on each test set.

        The record says what the network's source was, and how the data set was made, so that a run
        that reads the weights (`trained`) can tell whether it asks for the same.
        """
        from milan_core.core.files import write_csv
        from milan_core.core.identity import step_code
        from milan_core.images.store import open_dataset
        from milan_core.networks.training.learn import learn
        from milan_core.networks.training.train import Resume
        from milan_core.networks.version import portable_source
        from milan_core.networks.weights import save_weights

        train, *tests = [open_dataset(path) for path in (self.train, *self.tests)]
        source = portable_source(self.model)  # as it is loaded
        resume = Resume(self.weights.with_name("checkpoint.pt"), step_code(self.step_name))
        learned = learn(
            self.model,
            self.training,
            train,
            tests,
            teacher=self.teacher,
            seed=self.seed,
            device=compute.device,
            resume=resume,
        )
        save_weights(learned.module, self.weights, learned.meta)
        epochs = enumerate(learned.history, start=1)
        rows = [(epoch, loss, round(seconds, 3)) for epoch, (loss, seconds) in epochs]
        write_csv(self.history, ("epoch", "loss", "seconds"), rows)
        write_csv(self.accuracy, ("dataset", "accuracy", "images"), learned.figures)
        resume.path.unlink(missing_ok=True)
        return {
            "accuracy": {name: accuracy for name, accuracy, _ in learned.figures},
            "source": source,
            "data set": {"seed": train.manifest["seed"], **train.manifest["spec"]}
            | _generator(self.train),
        }


def _generator(folder: Path) -> dict[str, str]:
    """The network that drew a data set, of its record: a manifest does not name it."""
    from milan_core.core.records import NAME, read_record

    record = folder / NAME
    model = read_record(record)["options"].get("model") if record.is_file() else None
    return {"model": model["name"]} if model else {}
