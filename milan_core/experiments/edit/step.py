"""Steps of the editing: one network, then the tables and the section of all."""

from __future__ import annotations

from milan_core.core.step import Compute, In, Out, Step
from milan_core.experiments.edit.options import EditOptions, EditTrial
from milan_core.networks.options import Network
from milan_core.scoring.options import Query


class EditNetwork(Step, name="edit.network", device=True):
    """Ablate the units that a query selects by description, with controls (paper section 7)."""

    model: Network
    weights: In | None = None
    descriptions: In
    exemplars: In
    truth: In | None = None
    datasets: list[In]
    """Data sets of the trial, in any order."""
    train: In | None = None
    """Training images, for training the head again."""
    reference: In | None = None
    """accuracy.csv of a network trained without the cue."""
    trial: EditTrial
    query: Query
    options: EditOptions
    seed: int = 0
    result: Out
    curves: Out
    units: Out

    def run(self, compute: Compute) -> None:
        """Write the result, the accuracy curves and the chosen units."""
        from milan_core.core.files import write_csv, write_json
        from milan_core.experiments.audited import load_audited
        from milan_core.experiments.edit import network as edit
        from milan_core.networks.zoo import load_network

        audited = load_audited(self.model.name, self.descriptions, self.exemplars, self.truth)
        splits = edit.open_splits(self.trial.datasets(), self.datasets)
        bench = edit.Bench(load_network(self.model), splits, self.model.batch_size, compute.device)
        outcome = edit.edit_network(bench, audited, self.query, self.options, self.seed)
        facts = outcome.facts | edit.trial_facts(self.trial, self.options)
        facts |= {
            "fine_tuned": edit.tuned(bench, outcome, self.train, self.options, self.seed),
            "reference": edit.reference_accuracy(self.reference, splits),
        }
        write_json(self.result, facts)
        write_csv(self.curves, edit.CURVES, outcome.curve_rows())
        write_csv(self.units, edit.CHOSEN, outcome.unit_rows(audited))


class EditTable(Step, name="edit.table"):
    """Join the results of all edited networks: tables, figure and section of the report."""

    results: list[In]
    network_curves: list[In]
    curves: Out
    table: Out
    summary: Out
    figure: Out
    section: Out

    def run(self, compute: Compute) -> None:
        """Write the joined tables, then what the report says of them."""
        from milan_core.core.files import read_csv, write_csv, write_json
        from milan_core.core.section import write_section
        from milan_core.experiments.edit.figure import write_curves_figure
        from milan_core.experiments.edit.section import edit_section
        from milan_core.experiments.edit.tables import (
            CURVES,
            SUMMARY,
            read_result,
            summarize,
            summary_rows,
        )

        results = [read_result(path) for path in self.results]
        curves = [row for path in self.network_curves for row in read_csv(path, CURVES)]
        write_csv(self.curves, CURVES, [[row[name] for name in CURVES] for row in curves])
        write_csv(self.table, SUMMARY, summary_rows(results))
        summary = summarize(results)
        write_json(self.summary, summary)
        write_curves_figure(self.figure, curves, results)
        write_section(self.section, edit_section(summary))
