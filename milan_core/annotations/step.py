"""Step of the annotations: programs annotate the units of a mined network."""

from __future__ import annotations

from typing import Any

from milan_core.core.step import Compute, In, Out, Step


class WriteAnnotations(Step, name="annotations.write"):
    """Let three programs annotate every unit from the ground truth of a world."""

    model: str
    exemplars: In
    dataset: In
    """The probe images."""
    seed: int = 0
    annotations: Out
    truth: Out

    def run(self, compute: Compute) -> dict[str, Any]:
        """Write annotations and ground truth; the record gets counts and agreement.

        The column `group` says which units are no independent observations.
        """
        from milan_core.annotations.programmatic import annotate_network
        from milan_core.annotations.records import GROUP
        from milan_core.core.files import write_csv
        from milan_core.exemplars.groups import unit_groups
        from milan_core.exemplars.store import load_exemplars
        from milan_core.images.store import open_dataset
        from milan_core.world.annotators import HEADER
        from milan_core.world.truth import write_truth

        exemplars, dataset = load_exemplars(self.exemplars), open_dataset(self.dataset)
        written = annotate_network(exemplars, dataset, self.model, self.seed)
        write_truth(self.truth, written.truth)
        groups = unit_groups({layer: exemplars.ids(layer) for layer in exemplars.layers})
        rows = [(*row, groups[row[0], row[1]]) for row in written.rows]
        write_csv(self.annotations, (*HEADER, GROUP), rows)
        return written.facts()
