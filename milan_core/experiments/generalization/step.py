"""Steps of the generalization experiments: score one trial, then the tables of all."""

from __future__ import annotations

from pydantic import Field

from milan_core.core.step import Compute, In, Out, Step
from milan_core.experiments.generalization.options import EncoderFacts, TrialFacts, TrialOptions
from milan_core.experiments.scored import ScoredStep
from milan_core.scoring.options import ScoreOptions


class ScoreTrial(ScoredStep, name="generalization.score"):
    """Score the descriptions of one trial, trivial baselines beside them (paper section 4)."""

    descriptions: In
    beams: In
    baselines: In
    options: TrialOptions
    scores: Out
    sweep: Out

    def run(self, compute: Compute) -> dict[str, int]:
        """Write the scores, and those of the same beams re-ranked with every lambda.

        Units that show nothing are left out; the record counts them (`silent`).
        """
        from milan_core.annotations.records import read_unit_texts
        from milan_core.experiments.generalization.sweep import lambda_sweep, write_sweep
        from milan_core.scoring.beams import read_beams
        from milan_core.scoring.beside import score_beside
        from milan_core.scoring.tables import (
            TEST,
            read_descriptions,
            read_methods,
            scored_descriptions,
            write_scores,
        )
        from milan_core.scoring.units import check_same_units

        described = read_descriptions(self.descriptions)
        beams, others = read_beams(self.beams), read_methods(self.baselines)
        for what, units in {
            f"{self.annotations}": read_unit_texts(self.annotations),
            f"{self.beams}": beams.units,
            **{f"{self.baselines} ({name})": table for name, table in others.items()},
        }.items():
            check_same_units(units, described, what, f"{self.descriptions}")
        scored, silent = scored_descriptions(self.descriptions, TEST)
        units = list(scored)
        scorer = self.scorer(units)
        rows = score_beside(
            {key: described[key] for key in units},
            scorer,
            {name: {key: table[key] for key in units} for name, table in others.items()},
        )
        write_sweep(self.sweep, lambda_sweep(beams.select(units), scorer, self.options.lambdas))
        write_scores(self.scores, rows)
        return {"scored": len(units), "silent": len(silent)}


class TrialOverlap(Step, name="generalization.overlap"):
    """Compare the exemplars of tested units with those that the captioner was trained on."""

    model: str
    names: list[str]
    """Networks that the captioner was trained on, in the order of their files."""
    descriptions: In
    """descriptions.csv of a trial: the units that it is tested on."""
    captioner_units: In
    exemplars: In
    """Exemplars of the described network."""
    train_exemplars: list[In]
    overlap: Out

    def run(self, compute: Compute) -> None:
        """Write what training knew of every tested unit."""
        from milan_core.exemplars.overlap import overlaps
        from milan_core.exemplars.store import load_exemplars
        from milan_core.experiments.generalization.overlap import write_overlaps
        from milan_core.scoring.tables import TEST, read_descriptions, read_units

        own = load_exemplars(self.exemplars)
        mined = dict(zip(self.names, map(load_exemplars, self.train_exemplars), strict=True))
        mined = {n: one for n, one in mined.items() if one.meta["dataset"] == own.meta["dataset"]}
        learned = {n: {layer: one.ids(layer) for layer in one.layers} for n, one in mined.items()}
        units = read_units(self.captioner_units)
        training = [(unit.model, unit.key) for unit in units if unit.side != TEST]
        tested = list(read_descriptions(self.descriptions, TEST))
        ids = {layer: own.ids(layer) for layer in own.layers}
        write_overlaps(self.overlap, overlaps(self.model, tested, ids, learned, training))


class TrialTables(Step, name="generalization.table"):
    """Join the scores of all trials: long tables, Table 3, figures and section of the report."""

    scores: list[In]
    """scores.csv of each trial."""
    sweeps: list[In]
    """lambda.csv of each trial."""
    descriptions: list[In]
    """descriptions.csv of each trial."""
    truth: list[In] = Field([])
    """truth.csv of the described networks in `judged`."""
    overlaps: list[In] = Field([])
    """overlap.csv of the trials in `overlapped`."""
    overlapped: list[tuple[str, str]] = Field([])
    """(split, described network) of these."""
    trials: list[TrialFacts]
    judged: list[str] = Field([])
    temperature: float
    """Lambda of the run's descriptions."""
    encoder: EncoderFacts = EncoderFacts()
    options: ScoreOptions
    seed: int = 0
    table: Out
    summary: Out
    sweep: Out
    sweep_figure: Out
    table3: Out
    transfer: Out
    paired: Out
    overlap: Out
    masks: Out
    layers: Out
    transfer_figure: Out
    layers_figure: Out
    section: Out

    def run(self, compute: Compute) -> None:
        """Write the long tables, then Table 3 with what the report says of it."""
        from milan_core.core.drawing import write_figure
        from milan_core.core.files import write_csv
        from milan_core.core.section import write_section
        from milan_core.experiments.generalization import figure, tables
        from milan_core.experiments.generalization.masks import COLUMNS as MASKS
        from milan_core.experiments.generalization.masks import mask_rows
        from milan_core.experiments.generalization.overlap import TABLE as OVERLAP
        from milan_core.experiments.generalization.overlap import read_overlaps
        from milan_core.experiments.generalization.paired import PAIRED
        from milan_core.experiments.generalization.section import transfer_section
        from milan_core.experiments.generalization.transfer import LAYERS, transfer, write_known
        from milan_core.experiments.generalization.trials import read_trial
        from milan_core.scoring.bootstrap import Bootstrap
        from milan_core.scoring.tables import read_truth

        trials = [
            read_trial(*files)
            for files in zip(self.trials, self.scores, self.descriptions, strict=True)
        ]
        table, summary = tables.long_tables(trials)
        write_csv(self.table, tables.TABLE, table)
        write_csv(self.summary, tables.SUMMARY, summary)
        sweep = tables.joined_sweeps(self.trials, self.sweeps)
        write_csv(self.sweep, list(sweep[0]), [list(row.values()) for row in sweep])
        write_figure(self.sweep_figure, figure.lambda_figure(sweep, self.temperature))

        truth = dict(zip(self.judged, map(read_truth, self.truth), strict=True))
        known = dict(zip(self.overlapped, map(read_overlaps, self.overlaps), strict=True))
        bootstrap = Bootstrap(self.seed, self.options.bootstrap)
        results = transfer(trials, truth, bootstrap, known)
        write_known(self.table3, results.table3)
        write_known(self.transfer, results.rows)
        write_csv(self.paired, PAIRED, [list(row.values()) for row in results.paired])
        write_csv(self.overlap, OVERLAP, [list(row.values()) for row in results.overlap])
        masks = mask_rows(trials, truth, bootstrap)
        write_csv(self.masks, MASKS, [list(row.values()) for row in masks])
        write_csv(self.layers, LAYERS, [list(row.values()) for row in results.layers])
        write_figure(self.transfer_figure, figure.transfer_figure(results.rows))
        write_figure(self.layers_figure, figure.layers_figure(results.layers))
        write_section(self.section, transfer_section(results, self.encoder, masks))
