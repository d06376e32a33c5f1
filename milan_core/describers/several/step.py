"""Step of several labels for units that respond to several things."""

from __future__ import annotations

from milan_core.core.step import Compute, In, Out, Step
from milan_core.describers.several.options import SeveralOptions


class LabelSeveral(Step, name="several.label", device=True):
    """Choose labels for every unit of one network among the texts that were said of its layer."""

    table: In
    """Activations on the probe images."""
    dataset: In
    descriptions: list[In]
    """Tables whose texts are candidates."""
    judge: In
    """Folder of the judge that was trained here."""
    seen: In | None = None
    """Its view of the images, made by referee.look."""
    options: SeveralOptions
    labels: Out

    def run(self, compute: Compute) -> dict[str, int]:
        """Write a row a label; the record counts units by their number of labels."""
        from collections import Counter

        from milan_core.core.files import write_csv
        from milan_core.describers.several.choosing import CoverRule
        from milan_core.describers.several.table import COLUMNS, label_network, layer_texts
        from milan_core.exemplars.table import open_table
        from milan_core.images.store import open_dataset
        from milan_core.referee.judge import JudgeResources
        from milan_core.referee.judges.mini import load_folder
        from milan_core.referee.seen import recall
        from milan_core.referee.submitted import read_submitted

        judge = load_folder(self.judge, JudgeResources(folder=self.judge, compute=compute))
        if self.seen is not None:
            recall(judge, self.seen)
        texts = layer_texts(read_submitted(path) for path in self.descriptions)
        rule = CoverRule(most=self.options.most, gain=self.options.gain)
        table, dataset = open_table(self.table), open_dataset(self.dataset)
        found = label_network(table, dataset, judge, texts, rule)
        write_csv(self.labels, COLUMNS, [row for unit in found for row in unit.cells()])
        counts = Counter(len(unit.texts) for unit in found)
        return {f"units with {count} labels": counts[count] for count in sorted(counts)}
