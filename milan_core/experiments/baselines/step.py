"""Steps of Table 2: score the other methods of one trial, then the table of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from milan_core.core.errors import UserError
from milan_core.core.step import Compute, In, Out, Step
from milan_core.experiments.baselines.options import Evidence
from milan_core.experiments.generalization.options import EncoderFacts, TrialFacts
from milan_core.experiments.scored import ScoredStep

if TYPE_CHECKING:
    from milan_core.core.units import UnitKey


class ScoreMethods(ScoredStep, name="baselines.score"):
    """Score the other methods of one trial: beam search, retrieval, labels (paper Table 2)."""

    model: str
    descriptions: In
    beams: In
    baselines: In
    """Descriptions by the same captioner with other evidence, greedy p(d|E) among them."""
    features: In
    train_features: list[In]
    labels: In | None = None
    named: list[str] = Field([], description="variants of the files of `tables`")
    tables: list[In] = Field([], description="descriptions by variants of the same captioner")
    scores: Out
    units: Out
    facts: Out

    def run(self, compute: Compute) -> dict[str, int]:
        """Write the scores, the descriptions of every unit by every method, and the facts."""
        from milan_core.captioner.features.store import load_features
        from milan_core.core.files import write_csv, write_json
        from milan_core.experiments.baselines import methods
        from milan_core.experiments.baselines.options import MethodFacts
        from milan_core.scoring.tables import TEST, read_units, scored_descriptions, write_scores

        described, silent = scored_descriptions(self.descriptions, TEST)
        units = list(described)
        names = self.trained_on.names
        features = {self.model: load_features(self.features)}
        features |= dict(zip(names, map(load_features, self.train_features), strict=True))
        annotations = dict(zip(names, self.train_annotations, strict=True))
        split = read_units(self.captioner_units)
        retrieved = methods.retrieve(self.model, units, split, features, annotations)
        texts = self._texts(described, retrieved)

        scorer = self.scorer(units)
        measured = {name: scorer.measure([column]) for name, column in texts.items()}
        write_scores(self.scores, methods.method_scores(measured, scorer))
        write_csv(self.units, methods.UNITS, methods.unit_rows(scorer.references, texts, measured))
        passes = {} if self.labels is None else methods.passing(self.labels, units)
        manifest = features[self.model].meta["dataset"]
        facts = MethodFacts(manifest=manifest, passes=passes, variants=self.named)
        write_json(self.facts, facts.model_dump(exclude_defaults=True))
        return {"scored": len(units), "silent": len(silent)}

    def _texts(
        self, described: Mapping[UnitKey, str], retrieved: list[str]
    ) -> dict[str, list[str]]:
        """Descriptions of the described units by every method, PMI first."""
        from milan_core.experiments.baselines.methods import WANTED, best_of_beams
        from milan_core.experiments.baselines.names import BEAM, GREEDY, RETRIEVAL
        from milan_core.scoring.beams import read_beams
        from milan_core.scoring.scorer import MAIN
        from milan_core.scoring.tables import read_descriptions, read_methods
        from milan_core.scoring.units import rows_of

        units = list(described)
        texts = {MAIN: list(described.values())}
        others = read_methods(self.baselines)
        if GREEDY in others:
            what = f"{self.baselines} ({GREEDY})"
            texts[GREEDY] = rows_of(units, others[GREEDY], what, WANTED)
        texts[BEAM] = best_of_beams(read_beams(self.beams), units, f"{self.beams}")
        texts[RETRIEVAL] = retrieved
        for method, table in read_methods(self.labels).items() if self.labels else ():
            texts[method] = rows_of(units, table, f"{self.labels} ({method})", WANTED)
        for name, path in zip(self.named, self.tables, strict=True):
            if name in texts:
                raise UserError(f"variants.{name}: Table 2 has a method of this name; rename it")
            texts[name] = rows_of(units, read_descriptions(path), f"{path}", WANTED)
        return texts


class MethodTable(Step, name="baselines.table"):
    """Join the methods of all trials: long tables, Table 2, figures and section of the report."""

    scores: list[In]
    """scores.csv of each trial, by generalization.score."""
    methods: list[In]
    """scores.csv of each trial, by baselines.score."""
    units: list[In]
    facts: list[In]
    trials: list[TrialFacts]
    evidence: Evidence
    encoder: EncoderFacts = EncoderFacts()
    seed: int = 0
    table: Out
    summary: Out
    table2: Out
    accuracy: Out | None = None
    """Figure of concept accuracy, where a described network has ground truth."""
    bertscore: Out | None = None
    section: Out

    def run(self, compute: Compute) -> None:
        """Write the long tables, then Table 2 with what the report says of it."""
        from milan_core.core.drawing import write_figure
        from milan_core.core.files import write_csv
        from milan_core.core.section import write_section
        from milan_core.experiments.baselines import tables
        from milan_core.experiments.baselines.figure import metric_figure
        from milan_core.experiments.baselines.section import methods_section
        from milan_core.scoring.bootstrap import Bootstrap
        from milan_core.scoring.scorer import ACCURACY, BERT_F

        trials = [
            tables.read_trial(*files)
            for files in zip(
                self.trials, self.scores, self.methods, self.units, self.facts, strict=True
            )
        ]
        table, summary = tables.long_tables(trials)
        write_csv(self.table, tables.TABLE, table)
        write_csv(self.summary, tables.SUMMARY, summary)
        rows = tables.table2(trials, Bootstrap(self.seed))
        write_csv(
            self.table2,
            tables.TABLE2,
            [[row.get(name, "") for name in tables.TABLE2] for row in rows],
        )
        long = [dict(zip(tables.TABLE, cells, strict=True)) for cells in table]
        drawn = []
        for metric, path in ((ACCURACY, self.accuracy), (BERT_F, self.bertscore)):
            if path is not None:
                write_figure(path, metric_figure(long, metric))
                drawn.append(metric)
        write_section(self.section, methods_section(rows, self.evidence, drawn, self.encoder))
