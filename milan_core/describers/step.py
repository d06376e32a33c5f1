"""Steps that describe units: main descriptions, variants, labels from concepts, imported labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from milan_core.captioner.options import DecodingOptions
from milan_core.core.inputs import InputPath
from milan_core.core.parts import Joined, Part, Shared, Work, joined
from milan_core.core.step import Compute, In, Out, Step
from milan_core.describers.label_options import ConceptsOptions, LabelOptions
from milan_core.describers.options import ComposedOptions, PoolOptions, PublishedMethod
from milan_core.networks.options import Network

if TYPE_CHECKING:
    from milan_core.captioner.features.store import FeatureTable
    from milan_core.describers.milan import Milan


class Describing(Shared):
    """Units of one network, and the captioner that describes them."""

    part_step = "describers.units_part"

    model: str
    """Name of the network, or of the annotation set."""
    captioner: list[In] = Field(description="files of its folder, or one published file")
    units: In | None = Field(None, description="units that the captioner was trained on")
    features: In
    masking: str = "exact"
    """Features that are described: under the units' masks, or `whole` images as a control."""
    decoding: DecodingOptions

    def loaded(self, compute: Compute) -> tuple[Milan, FeatureTable]:
        """The captioner with its decoding, and the features that it reads."""
        from milan_core.captioner.features.store import load_features
        from milan_core.describers import milan
        from milan_core.describers.describer import Resources
        from milan_core.describers.options import MilanOptions

        table = milan.masked(load_features(self.features), self.masking, self.features)
        resources = Resources(captioner=self.captioner, compute=compute)
        return milan.Milan.load(MilanOptions(decoding=self.decoding), resources), table

    def work(self, compute: Compute) -> Work:
        """Descriptions by the captioner and its controls, in blocks of units."""
        from milan_core.describers.blocks import describing

        return describing(*self.loaded(compute), self.features)


class DescribePart(Describing, Part, name="describers.units_part", device=True):
    """Describe a part of the units of one network, for `describers.units`."""


class DescribeUnits(Describing, Joined, name="describers.units", device=True):
    """Describe the units of one network with one captioner, controls beside (paper section 3.4)."""

    descriptions: Out
    beams: Out
    baselines: Out
    """Descriptions by the controls."""

    def run(self, compute: Compute) -> dict[str, int]:
        """Write the descriptions with the side of each unit, all candidates, and the controls.

        The record counts units that show nothing, by status.
        """
        from milan_core.describers import driver, milan
        from milan_core.describers.blocks import describing, join_said, read_said
        from milan_core.exemplars.status import status_counts

        describer, table = self.loaded(compute)
        work = describing(describer, table, self.features)
        said = join_said(joined(self, work, read_said), describer, table)
        main, others = milan.with_prior(said, describer, table, self.features)
        sides = milan.unit_sides(self.units, self.model, table.rows)
        driver.write_descriptions(self.descriptions, main, milan.Milan.form, {"side": sides})
        driver.write_beams(self.beams, main)
        driver.write_methods(self.baselines, others, milan.Milan.form)
        return status_counts(main.statuses)


class PoolCandidates(Step, name="describers.pool", device=True):
    """Choose among the candidates of one network by what a judge sees in the mining images."""

    table: In
    """Activations of its units on these images."""
    dataset: In
    beams: In
    """Candidates of a captioner that was not trained on the network."""
    descriptions: In
    """By the same captioner; they name the units that show nothing."""
    named: list[str] = Field([], description="describers of the files of `tables`")
    tables: list[In] = Field([], description="texts of further describers")
    chosen: list[str] = Field([], description="describers whose texts are taken from `methods`")
    methods: list[In] = Field([], description="tables that name the describer in each row")
    judge: In
    """Folder of the judge that was trained here."""
    seen: In | None = None
    """Its view of the images, made by referee.look."""
    exemplars: In | None = None
    """Exemplars of the units, where their masks count."""
    options: PoolOptions
    pooled: Out
    ranking: Out
    linear: Out

    def run(self, compute: Compute) -> dict[str, int]:
        """Write the descriptions, every candidate by rank, and the linear explanations."""
        from milan_core.describers import driver
        from milan_core.describers.describer import Resources
        from milan_core.describers.linear import write_linear
        from milan_core.describers.pool import Pool
        from milan_core.describers.proposals import proposed_units
        from milan_core.describers.ranking import write_ranking
        from milan_core.exemplars.table import open_table
        from milan_core.images.store import open_dataset

        units = proposed_units(
            open_table(self.table),
            open_dataset(self.dataset),
            self.beams,
            self.descriptions,
            dict(zip(self.named, self.tables, strict=True)),
            self.methods,
            self.chosen,
            self.options,
            self.exemplars,
        )
        pool = Pool(self.options, Resources(judge=self.judge, seen=self.seen, compute=compute))
        said = driver.describe(pool, units)
        driver.write_descriptions(self.pooled, said, Pool.form)
        write_ranking(self.ranking, pool.ranking)
        write_linear(self.linear, pool.explained)
        return {"images": len(units.images), "units": len(said.keys)}


class PublishDescriptions(Step, name="describers.publish"):
    """Publish the descriptions of one network, those of its captioner beside them."""

    main: In
    """By a captioner that was not trained on the network."""
    within: In | None = None
    """By a captioner that was trained on other units of the network."""
    pooled: In | None = None
    """Those that a judge chose among its candidates."""
    decided: In | None = None
    """The status and the confidence of each."""
    several: In | None = None
    """Labels of units that respond to several things."""
    descriptions: Out

    def run(self, compute: Compute) -> None:
        """Write the table."""
        from milan_core.describers.publish import publish_table

        tables = self.pooled, self.decided, self.several
        publish_table(self.main, self.within, self.descriptions, *tables)


class DescribeVariant(Step, name="describers.variant", device=True):
    """Describe the units of one network by another captioner, another prior, or CLIP."""

    captioner: list[In] = Field([], description="files of the captioner trained here, if needed")
    features: In | None = None
    """The files that the captioner reads."""
    released: list[In] = Field([], description="files of a published captioner")
    exemplars: In
    dataset: In
    """The probe images."""
    asset: In | None = None
    """The asset that holds the prior."""
    judge: In | None = None
    """Folder of the mini judge, where it takes CLIP's place."""
    seen: In | None = None
    """Its view of the probe images, made by referee.look."""
    options: ComposedOptions
    descriptions: Out
    candidates: Out

    def run(self, compute: Compute) -> None:
        """Write the descriptions, and every candidate with all its scores."""
        from milan_core.captioner.features.store import load_features
        from milan_core.describers import driver
        from milan_core.describers.composed import Composed
        from milan_core.describers.describer import Resources
        from milan_core.describers.sources import ExemplarUnits, FeatureUnits
        from milan_core.exemplars.store import load_exemplars
        from milan_core.images.store import open_dataset

        stored = None
        if self.features is not None:
            stored = FeatureUnits(load_features(self.features), self.features)
        images = open_dataset(self.dataset).images
        units = ExemplarUnits(load_exemplars(self.exemplars), images, stored)
        resources = Resources(
            captioner=self.captioner, compute=compute, judge=self.judge, seen=self.seen
        )
        said = driver.describe(Composed.load(self.options, resources), units)
        driver.write_candidates(self.candidates, said)
        driver.write_descriptions(self.descriptions, said, Composed.form)


class MaskConcepts(Step, name="describers.concepts", device=True):
    """Find the masks of named concepts in a data set."""

    dataset: In
    source: ConceptsOptions
    concepts: Out

    def run(self, compute: Compute) -> None:
        """Write the masks of every concept in every image."""
        from milan_core.describers.concept_sources import concept_masks
        from milan_core.images.store import open_dataset

        masks = concept_masks(open_dataset(self.dataset), self.source, compute.device)
        masks.save(self.concepts)


class LabelUnits(Step, name="describers.label", device=True):
    """Label the units of one network by methods that read a list of concepts (Table 2)."""

    model: Network
    weights: In | None = None
    dataset: In
    """Images that the labels are drawn from."""
    concepts: In | None = None
    """Masks of concepts in these images."""
    judge: In | None = None
    """Folder of the mini judge, where it takes CLIP's place."""
    seen: In | None = None
    """Its view of these images, made by referee.look."""
    methods: list[LabelOptions]
    published: dict[PublishedMethod, InputPath] = Field(
        {}, description="result folders of programs"
    )
    labels: Out

    def run(self, compute: Compute) -> None:
        """Write the labels by every method, then those of the published programs."""
        from milan_core.describers.activations import NetworkUnits
        from milan_core.describers.concepts import ConceptMasks
        from milan_core.describers.describer import Resources
        from milan_core.describers.driver import describe, write_methods
        from milan_core.describers.labels import FORM
        from milan_core.describers.published import published_labels
        from milan_core.describers.registry import load_describer
        from milan_core.images.store import open_dataset
        from milan_core.networks.zoo import load_network

        resources = Resources(compute=compute, judge=self.judge, seen=self.seen)
        describers = [load_describer(options, resources) for options in self.methods]
        loaded = load_network(self.model)
        units = NetworkUnits(
            *(loaded, open_dataset(self.dataset)),
            ConceptMasks.load(self.concepts) if self.concepts else None,
            [quantile for describer in describers for quantile in describer.quantiles],
            self.labels.parent,
            batch_size=self.model.batch_size,
            compute=compute,
        )
        said = [(one.Options.describer_name(), describe(one, units)) for one in describers]
        if self.published:
            said += published_labels(self.published, loaded.layers, units.silent)
        write_methods(self.labels, said, FORM)


class ImportLabels(Step, name="describers.import_labels"):
    """Take over what the published programs said of the units of an annotation set."""

    annotations: In
    """They name the layers of the set."""
    features: In
    """They name the units of the set that show nothing."""
    published: dict[PublishedMethod, InputPath] = Field(description="result folders by program")
    labels: Out

    def run(self, compute: Compute) -> None:
        """Write the labels."""
        from milan_core.captioner.features.store import load_features
        from milan_core.core.files import read_csv
        from milan_core.describers.driver import write_methods
        from milan_core.describers.labels import FORM
        from milan_core.describers.published import published_labels

        layers = [row["layer"] for row in read_csv(self.annotations, ("layer", "unit"))]
        silent = load_features(self.features).silent
        write_methods(self.labels, published_labels(self.published, layers, silent), FORM)
