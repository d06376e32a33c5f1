"""Steps of the analysis: one network, then tables, figures and section of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from milan_core.core.parts import Joined, Part, Shared, Work, joined
from milan_core.core.step import Compute, In, Out, Step
from milan_core.experiments.analyze.options import AnalyzeOptions
from milan_core.networks.options import Network

if TYPE_CHECKING:
    from milan_core.experiments.analyze.criteria import Criterion
    from milan_core.networks.ablation import AblationEngine


class Analyzing(Shared):
    """A described network, and the images that its accuracy is measured on."""

    part_step = "analyze.network_part"

    model: Network
    weights: In | None = None
    dataset: In = Field(description="Labelled images that the accuracy is measured on")
    descriptions: In
    parser: In | None = Field(None, description="Asset with a spaCy pipeline")
    vectors: In | None = Field(None, description="Asset with an encoder of words")
    options: AnalyzeOptions
    seed: int = 0

    def opened(self, compute: Compute) -> tuple[str, AblationEngine, list[Criterion]]:
        """The network's fingerprint, its engine with the images, and the criteria of its units."""
        from milan_core.experiments.analyze import network
        from milan_core.experiments.analyze.criteria import criteria
        from milan_core.experiments.analyze.grammar import Parser, pipeline_folder
        from milan_core.images.store import open_dataset
        from milan_core.networks.fingerprint import network_fingerprint
        from milan_core.networks.zoo import load_network
        from milan_core.scoring.tables import read_descriptions
        from milan_core.scoring.units import check_same_units
        from milan_core.scoring.vectors import WordVectors, encoder_folder

        loaded, dataset = load_network(self.model), open_dataset(self.dataset)
        identity = network_fingerprint(loaded)
        engine = network.open_engine(loaded, dataset, self.options, self.seed, compute.device)
        texts = read_descriptions(self.descriptions)
        layers = f"the layers of {self.model.name}"
        check_same_units(texts, engine.units, str(self.descriptions), layers)
        scored = criteria(
            [texts[unit] for unit in engine.units],
            Parser(pipeline_folder(self.parser)) if self.parser else None,
            WordVectors(encoder_folder(self.vectors)) if self.vectors else None,
            self.options.queries,
        )
        return identity, engine, scored

    def work(self, compute: Compute) -> Work:
        """Counts of images that are right under every ablation, in blocks of images."""
        from milan_core.experiments.analyze.network import ablating, planned_orders

        identity, engine, scored = self.opened(compute)
        planned = planned_orders(engine, scored, self.options, self.seed)
        return ablating(engine, planned, identity)


class AnalyzePart(Analyzing, Part, name="analyze.network_part", device=True):
    """Ablate units on a part of the images, for `analyze.network`."""


class AnalyzeNetwork(Analyzing, Joined, name="analyze.network", device=True):
    """Ablate units in the order of what their descriptions say (paper section 5)."""

    ablation: Out
    importance: Out
    criteria: Out

    def run(self, compute: Compute) -> None:
        """Write the accuracy curves, the importance of single units, and the criteria."""
        from milan_core.core.files import write_csv
        from milan_core.experiments.analyze import network

        identity, engine, scored = self.opened(compute)
        planned = network.planned_orders(engine, scored, self.options, self.seed)
        rows = network.criterion_rows(engine.units, scored)
        write_csv(self.criteria, network.CRITERIA, rows)
        blocks = joined(self, network.ablating(engine, planned, identity), network.read_counts)
        measured = network.accuracies(engine, blocks)
        rows = network.importance_rows(engine.units, measured)
        write_csv(self.importance, network.IMPORTANCE, rows)
        rows = network.curve_rows(planned, self.options.fractions, measured)
        write_csv(self.ablation, network.ABLATION, rows)


class AnalyzeTable(Step, name="analyze.table"):
    """Compare criteria with random orders over all networks, for the report."""

    models: list[str] = Field(description="Names of the networks, in the order of the files")
    ablation: list[In]
    importance: list[In]
    criteria: list[In]
    images: int = Field(0, description="Images of the accuracies; 0: all of the data set")
    seed: int = 0
    summary: Out
    correlations: Out
    shares: Out
    differences: Out
    curves: list[Out] = Field(description="Figure of each network")
    section: Out

    def run(self, compute: Compute) -> None:
        """Write the tables, the figures and what the report says of them."""
        from milan_core.core.drawing import write_figure
        from milan_core.core.files import write_csv
        from milan_core.core.section import relative_to, write_section
        from milan_core.experiments.analyze import tables
        from milan_core.experiments.analyze.figure import curves_figure, differences_figure
        from milan_core.experiments.analyze.section import analyze_section
        from milan_core.scoring.bootstrap import Bootstrap

        files = zip(self.models, self.ablation, self.importance, self.criteria, strict=True)
        analyses = [tables.read_analysis(*paths) for paths in files]
        bootstrap = Bootstrap(self.seed)
        summary = [row for one in analyses for row in tables.summary_rows(one, bootstrap)]
        tables.adjust(summary)
        correlations = [row for one in analyses for row in tables.correlation_rows(one, self.seed)]
        shares = [row for one in analyses for row in tables.share_rows(one, bootstrap)]
        for path, columns, rows in (
            (self.summary, tables.SUMMARY, summary),
            (self.correlations, tables.CORRELATIONS, correlations),
            (self.shares, tables.SHARES, shares),
        ):
            write_csv(path, columns, tables.cells(rows, columns))
        write_figure(self.differences, differences_figure(summary))
        for path, one in zip(self.curves, analyses, strict=True):
            write_figure(path, curves_figure(one))
        figures = [relative_to(self.section, path) for path in self.curves]
        write_section(self.section, analyze_section(analyses, summary, figures, self.images))
