"""Steps of the comparison of decoding strategies: one network, then the table of all."""

from __future__ import annotations

from milan_core.core.step import Compute, In, Out, Step
from milan_core.experiments.decoding.options import StrategyOptions
from milan_core.experiments.scored import ScoredStep


class MeasureStrategies(ScoredStep, name="decoding.measure", device=True, timed=("timing.csv",)):
    """Describe the units of one network by every strategy; score and time each."""

    model: str
    captioner: list[In]
    """The captioner's files."""
    features: In
    strategies: StrategyOptions
    length: int
    """Longest description in tokens."""
    table: Out
    timing: Out

    def run(self, compute: Compute) -> None:
        """Write the scores of every strategy, and what each search cost."""
        from milan_core.captioner.checkpoint import captioner_folder, load_captioner
        from milan_core.captioner.features.store import load_features
        from milan_core.captioner.reading import check_encoder
        from milan_core.core.files import write_csv
        from milan_core.experiments.decoding.strategies import TimedCaptioner, decode_all
        from milan_core.experiments.decoding.tables import COLUMNS, TIMING, cost_rows, score_rows

        folder = captioner_folder(self.captioner)
        captioner = load_captioner(folder).to(compute.device)
        features = load_features(self.features)
        check_encoder(captioner, features, folder, self.features)
        units = list(features.rows)
        timed = TimedCaptioner(captioner, features.arrays["exact"], self.length)
        decoded = decode_all(timed, self.strategies, self.seed)
        write_csv(self.table, COLUMNS, score_rows(self.model, decoded, self.scorer(units)))
        write_csv(self.timing, TIMING, cost_rows(self.model, timed.costs, len(units)))


class StrategyTable(Step, name="decoding.table", timed=("timing.csv", "study.svg", "section.json")):
    """Join the networks' tables: one table of scores, one of costs, figure and section."""

    tables: list[In]
    timings: list[In]
    temperature: float
    """Lambda that the run describes with."""
    beam_size: int
    """Beam size that the run describes with."""
    table: Out
    timing: Out
    figure: Out
    section: Out

    def run(self, compute: Compute) -> None:
        """Write the joined tables, then what the report says of them."""
        from milan_core.core.drawing import write_figure
        from milan_core.core.files import read_csv, write_csv
        from milan_core.core.section import write_section
        from milan_core.experiments.decoding.figure import strategy_figure
        from milan_core.experiments.decoding.section import strategy_section
        from milan_core.experiments.decoding.tables import COLUMNS, TIMING, shown_columns

        rows = [row for path in self.tables for row in read_csv(path, COLUMNS)]
        costs = [row for path in self.timings for row in read_csv(path, TIMING)]
        columns = shown_columns(rows)
        write_csv(self.table, columns, [[row[name] for name in columns] for row in rows])
        write_csv(self.timing, TIMING, [[row[name] for name in TIMING] for row in costs])
        write_figure(self.figure, strategy_figure(rows, self.temperature))
        write_section(
            self.section, strategy_section(rows, columns, self.temperature, self.beam_size)
        )
