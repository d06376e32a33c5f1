"""Steps of the audit: count matching units, count again after a review, tell the report."""

from __future__ import annotations

from pydantic import Field

from milan_core.core.step import Compute, In, Out, OutFolder, Step
from milan_core.experiments.audit.options import AuditOptions


class AuditCount(Step, name="audit.count"):
    """Count the units whose description matches a query, with a review sheet (paper section 6)."""

    options: AuditOptions
    descriptions: list[In] = Field(description="One file for each network, in the options' order")
    exemplars: list[In]
    datasets: list[In] = Field(description="Probe images of each network")
    truth: list[In] = Field([], description="truth.csv of each network with ground truth")
    seed: int = 0
    counts: Out
    changes: Out
    units: Out
    review: OutFolder

    def run(self, compute: Compute) -> None:
        """Write the counts, the changes within pairs, the matching units and the review sheet."""
        from milan_core.core.files import write_csv
        from milan_core.experiments.audit import search, tables
        from milan_core.experiments.audit.review import write_review

        networks = search.load_networks(self.options, self.descriptions, self.exemplars, self.truth)
        matches = search.find_matches(networks, self.options.queries)
        images = search.open_images(self.options, self.datasets)
        detections = search.detect(networks, images, matches, self.options)
        groups = {name: network.groups for name, network in networks.items()}
        layers = {name: network.layers for name, network in networks.items()}
        write_csv(self.counts, tables.COUNTS, tables.count_rows(matches, layers, groups))
        changes = tables.change_rows(matches, groups, self.options.pairs)
        write_csv(self.changes, tables.CHANGES, changes)
        write_csv(self.units, tables.UNITS, search.unit_rows(networks, matches, detections))
        described = search.described_units(matches)
        write_review(self.review, described, networks, images, self.seed)


class AuditRecount(Step, name="audit.recount"):
    """Count again the units that people confirmed on the review sheet."""

    options: AuditOptions
    exemplars: list[In] = Field(description="One file for each network, in the options' order")
    units: In = Field(description="units.csv of the count")
    review: In = Field(description="Answers that the review sheet saved, CSV or JSON")
    counts: Out
    changes: Out

    def run(self, compute: Compute) -> None:
        """Write counts and changes; a recount can lower a count and never raise it."""
        from milan_core.core.files import write_csv
        from milan_core.exemplars.groups import unit_groups
        from milan_core.exemplars.store import load_exemplars
        from milan_core.experiments.audit import tables
        from milan_core.experiments.audit.review import confirmed, read_answers

        described = tables.read_matched(self.units)
        kept = confirmed(read_answers(self.review), described, self.review)
        names = [network.name for network in self.options.networks]
        mined = dict(zip(names, map(load_exemplars, self.exemplars), strict=True))
        groups = {
            name: unit_groups({layer: one.ids(layer) for layer in one.layers})
            for name, one in mined.items()
        }
        layers = {name: one.units for name, one in mined.items()}
        matches = {
            (name, query, tables.REVIEW): kept.get((name, query), [])
            for name in names
            for query in self.options.queries
        }
        write_csv(self.counts, tables.COUNTS, tables.count_rows(matches, layers, groups))
        changes = tables.change_rows(matches, groups, self.options.pairs)
        write_csv(self.changes, tables.CHANGES, changes)


class AuditSection(Step, name="audit.section"):
    """Write the figure and the section of the report."""

    options: AuditOptions
    counts: In
    changes: In
    units: In
    review: In = Field(description="Folder of the review sheet")
    recount: In | None = Field(None, description="Counts of the units that people confirmed")
    recount_changes: In | None = None
    figure: Out | None = Field(None, description="Only where there are pairs")
    section: Out

    def run(self, compute: Compute) -> None:
        """Write the figure of the pairs, if any, and the section."""
        from milan_core.core.drawing import write_figure
        from milan_core.core.files import read_csv
        from milan_core.core.section import relative_to, write_section
        from milan_core.experiments.audit import tables
        from milan_core.experiments.audit.figure import change_figure
        from milan_core.experiments.audit.section import AuditPaths, audit_section

        counts = read_csv(self.counts, tables.COUNTS)
        changes = read_csv(self.changes, tables.CHANGES)
        if self.recount_changes is not None:
            changes += read_csv(self.recount_changes, tables.CHANGES)
        if self.figure is not None:
            write_figure(self.figure, change_figure(changes, self.options))
        files = {
            "counts": self.counts,
            "changes": self.changes,
            "units": self.units,
            "review": self.review / "index.html",
            "recount": self.recount,
            "figure": self.figure,
        }
        paths = AuditPaths(
            **{name: relative_to(self.section, path) for name, path in files.items() if path}
        )
        write_section(self.section, audit_section(counts, changes, self.options, paths))
