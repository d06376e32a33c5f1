"""Steps of abstention: the evidence of one network's descriptions, then the status of all."""

from __future__ import annotations

from milan_core.core.step import Compute, In, Out, Step
from milan_core.describers.abstention.options import (
    AbstentionOptions,
    TableOptions,
    deciders,
    largest_group,
)
from milan_core.referee.options import JudgeOptions, ScoringOptions


class MeasureEvidence(Step, name="abstention.measure", device=True):
    """Gather what speaks for each unit's description, on images that did not choose it."""

    ranking: In
    """Candidates of every unit, best first (`describers.ranking`)."""
    table: In
    """Activations on the images that score."""
    dataset: In
    """These images."""
    truth: In | None = None
    """Concepts of the units, where they are known."""
    judge: JudgeOptions
    trained: In | None = None
    """Folder of a judge that was trained here."""
    seen: In | None = None
    """Its view of the images, made by referee.look."""
    scoring: ScoringOptions
    """It says from how many images anything is said."""
    seed: int = 0
    evidence: Out

    def run(self, compute: Compute) -> None:
        """Write one row a unit."""
        from milan_core.describers.abstention.measure import look, measure
        from milan_core.describers.abstention.tables import write_evidence
        from milan_core.describers.ranking import read_ranking
        from milan_core.exemplars.table import open_table
        from milan_core.images.store import open_dataset
        from milan_core.referee.judge import JudgeResources, load_judge
        from milan_core.referee.seen import recall
        from milan_core.scoring.tables import read_truth

        judge = load_judge(self.judge, JudgeResources(folder=self.trained, compute=compute))
        if self.seen is not None:
            recall(judge, self.seen)
        ranking, truth = read_ranking(self.ranking), read_truth(self.truth) if self.truth else {}
        table, dataset = open_table(self.table), open_dataset(self.dataset)
        looked = look(ranking, table, dataset, judge, self.scoring.fewest)
        measured = measure(ranking, looked, truth, self.seed)
        write_evidence(self.evidence, measured)


class DecideNetwork(Step, name="abstention.decide"):
    """Decide which descriptions of a network are reliable, by the annotated others (S11)."""

    model: str
    """The network."""
    networks: list[str]
    """Those of `evidence`, in its order; the network is one of them."""
    evidence: list[In]
    descriptions: In
    """The network's, as they were ranked; they say which units show nothing."""
    shipped: In
    """The calibration for networks beside which none is annotated."""
    options: AbstentionOptions
    decisions: Out

    def run(self, compute: Compute) -> dict[str, int]:
        """Write the status and the confidence of every unit."""
        from milan_core.core.files import write_csv
        from milan_core.describers.abstention.calibration import load_calibration
        from milan_core.describers.abstention.evaluation import UNITS, decide_network, unit_rows
        from milan_core.describers.abstention.tables import counts_of, read_evidence
        from milan_core.scoring.tables import read_silent

        decided = decide_network(
            self.model,
            dict(zip(self.networks, map(read_evidence, self.evidence), strict=True)),
            load_calibration(self.shipped),
            self.options.alpha,
            read_silent(self.descriptions),
        )
        write_csv(self.decisions, UNITS, unit_rows(decided))
        return counts_of(decided.decisions)


class AbstentionTable(Step, name="abstention.table"):
    """Join the networks: how good status and confidence are, and the calibration on all."""

    networks: list[str]
    """Their names, in the order of the files."""
    images: list[str]
    """The data set that the units of each are tested on."""
    evidence: list[In]
    descriptions: list[In]
    shipped: In
    options: TableOptions
    summary: Out
    coverage: Out
    calibration: Out
    """On the annotated networks that are tested on the same images, for networks of one's own."""
    section: Out

    def run(self, compute: Compute) -> None:
        """Write the tables, the calibration and the section of the report."""
        from milan_core.core.files import write_csv
        from milan_core.core.section import write_section
        from milan_core.describers.abstention import evaluation as tables
        from milan_core.describers.abstention.calibration import calibrate_run, load_calibration
        from milan_core.describers.abstention.section import abstention_section
        from milan_core.describers.abstention.tables import read_evidence
        from milan_core.scoring.tables import read_silent

        measured = dict(zip(self.networks, map(read_evidence, self.evidence), strict=True))
        silent = dict(zip(self.networks, map(read_silent, self.descriptions), strict=True))
        shipped, alpha = load_calibration(self.shipped), self.options.alpha
        images = dict(zip(self.networks, self.images, strict=True))
        judged = tables.judged_units(measured)
        learned = {name: images[name] for name in judged if name != self.options.random}
        decided = []
        for name in measured:
            others = deciders(name, {**learned, name: images[name]})
            evidence = {other: measured[other] for other in [*others, name]}
            one = tables.decide_network(name, evidence, shipped, alpha, silent[name])
            decided.append(one)
        chosen = {name: judged[name] for name in largest_group(learned)}
        calibration = calibrate_run(chosen, shipped, alpha)
        rows = tables.summary_rows(decided, [self.options.random])
        write_csv(self.summary, tables.SUMMARY, [[row[x] for x in tables.SUMMARY] for row in rows])
        write_csv(self.coverage, tables.CURVE, tables.curve_rows(decided))
        calibration.save(self.calibration)
        write_section(self.section, abstention_section(rows, calibration, self.options.random))
