"""Steps of the captioner: one training, then the histories of all trainings."""

from __future__ import annotations

from typing import Any

from milan_core.captioner.features.options import JobEncoder
from milan_core.captioner.options import CaptionerSettings, TrainedOn, TrainingSplit
from milan_core.core.step import Compute, In, Out, Step


class TrainCaptioner(Step, name="captioner.train", device=True):
    """Train p(d|E) and p(d) on the annotated units of a split (paper section 3.2).

    A killed training resumes from a hidden file in the captioner's folder.
    """

    features: list[In]
    annotations: list[In]
    """Features and annotations of every network of the split, in its order."""
    like: In | None = None
    """units.csv of another captioner: as many units are learned from, drawn at random."""
    split: TrainingSplit
    options: CaptionerSettings
    encoder: JobEncoder
    """Kept in the captioner, which describes images with it."""
    seed: int = 0
    config: Out
    vocabulary: Out
    weights: Out
    history: Out
    """Losses by epoch."""
    domain: Out
    """Which images are like those of the training (`captioner.domain`)."""
    units: Out
    """The annotated units, and whether they are trained on or kept for the test."""

    def run(self, compute: Compute) -> dict[str, Any]:
        """Write the captioner, its history and its units; the record gets the units' numbers."""
        import numpy as np

        from milan_core.captioner.checkpoint import captioner_folder, save_captioner
        from milan_core.captioner.domain import fit_domain, save_domain
        from milan_core.captioner.training.splits import (
            UNITS_HEADER,
            as_many,
            kept_for_test,
            load_units,
        )
        from milan_core.captioner.training.train import HISTORY, STATE, train_captioner
        from milan_core.core.files import write_csv
        from milan_core.core.identity import step_code

        folder = captioner_folder([self.config, self.vocabulary, self.weights])
        split = self.split
        units = load_units(split.train, self.features, self.annotations, split.masking)
        tested = kept_for_test(units.groups, split)
        rows = np.flatnonzero(~tested)
        if self.like is not None:
            rows = as_many(rows, self.like, split)
        trained = train_captioner(
            units.features(rows),
            [units.captions[row] for row in rows],
            self.options,
            self.seed,
            state=folder / STATE,
            device=compute.device,
            code=step_code(self.step_name),
            meta={
                "split": split.model_dump(mode="json"),
                "encoder_hash": units.encoder,
                "encoder": self.encoder.record(),
            },
        )
        wholes = units.whole_images(rows)
        domain = None if wholes is None else fit_domain(wholes, units.encoder, self.seed)
        save_domain(domain, self.domain)
        write_csv(self.units, UNITS_HEADER, units.table(tested, rows))
        write_csv(self.history, HISTORY, trained.rows())
        save_captioner(trained.captioner, folder, trained.captioner.meta)
        (folder / STATE).unlink(missing_ok=True)
        return {"training_units": len(rows), "test_units": int(tested.sum())}


class CaptionerHistories(Step, name="captioner.histories"):
    """Join the training histories of all captioners: figure, table and section of the report."""

    histories: list[In]
    trainings: list[TrainedOn]
    """Split and seed of every history, in the order of the files."""
    figure: Out
    table: Out
    section: Out

    def run(self, compute: Compute) -> None:
        """Write the figure and the table, then the section that shows them."""
        from milan_core.captioner.training.figure import history_figure
        from milan_core.captioner.training.histories import HEADER, read_fits, training_rows
        from milan_core.captioner.training.section import training_section
        from milan_core.core.drawing import write_figure
        from milan_core.core.files import write_csv
        from milan_core.core.section import write_section

        fits = read_fits(self.trainings, self.histories)
        write_figure(self.figure, history_figure(fits))
        write_csv(self.table, HEADER, training_rows(fits))
        write_section(self.section, training_section(fits))
