"""Step of the controls: sentences on the score tables, for the report."""

from __future__ import annotations

from pydantic import Field

from milan_core.core.step import Compute, In, Out, Step
from milan_core.experiments.controls.options import ControlsOptions


class ControlsSection(Step, name="controls.section"):
    """Say what the scores rest on: controls without evidence, masks, lambda, annotators."""

    generalization: In = Field(description="table.csv of the generalization")
    baselines: In | None = Field(None, description="table.csv of the baselines")
    paired: In = Field(description="paired.csv: both captioners on the same units")
    masks: In = Field(description="masks.csv: captioners trained with and without masks")
    lambdas: In = Field(description="lambda.csv: the same beams under several weights of p(d)")
    lambda_figure: In
    options: ControlsOptions
    section: Out

    def run(self, compute: Compute) -> None:
        """Write the section of the report."""
        from milan_core.core.files import read_csv
        from milan_core.core.section import relative_to, write_section
        from milan_core.experiments.controls.section import controls_section
        from milan_core.experiments.controls.tables import (
            baselines_table,
            generalization_table,
            lambda_rows,
        )

        section = controls_section(
            baselines_table(self.baselines),
            generalization_table(self.generalization),
            read_csv(self.paired),
            read_csv(self.masks),
            lambda_rows(self.lambdas),
            self.options,
            lambda_table=relative_to(self.section, self.lambdas),
            lambda_figure=relative_to(self.section, self.lambda_figure),
        )
        write_section(self.section, section)
