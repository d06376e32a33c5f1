"""Step of the further describers that a configuration lists."""

from __future__ import annotations

from pydantic import Field

from milan_core.core.step import Compute, In, Out, Step
from milan_core.describers.listed.options import ListedDescriber


class DescribeListed(Step, name="listed.describe", device=True):
    """Describe the units of one network by one more describer, by the driver of all."""

    listed: ListedDescriber
    exemplars: In
    dataset: In
    """The probe images."""
    table: In | None = None
    """Activations of the units on these images."""
    captioner: list[In] = Field([], description="files of the captioner trained here")
    judge: In | None = None
    """Folder of the judge that was trained here."""
    seen: In | None = None
    """Its view of the images, made by referee.look."""
    descriptions: Out

    def run(self, compute: Compute) -> dict[str, int]:
        """Write the descriptions; the record counts units that show nothing, by status."""
        from milan_core.describers.describer import Resources
        from milan_core.describers.driver import describe, write_descriptions
        from milan_core.describers.registry import describer_options, find_describer
        from milan_core.describers.sources import ExemplarUnits
        from milan_core.exemplars.status import status_counts
        from milan_core.exemplars.store import load_exemplars
        from milan_core.exemplars.table import open_table
        from milan_core.images.store import open_dataset

        name = self.listed.describer
        given = Resources(self.captioner, compute=compute, judge=self.judge, seen=self.seen)
        describer = find_describer(name).load(describer_options(name, self.listed.options), given)
        exemplars = load_exemplars(self.exemplars)
        if self.table is not None:
            exemplars.table = open_table(self.table)
        said = describe(describer, ExemplarUnits(exemplars, open_dataset(self.dataset).images))
        write_descriptions(self.descriptions, said, describer.form, describer.columns())
        return status_counts(said.statuses)
