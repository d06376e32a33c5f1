"""Step of the report: pages that open from disk."""

from __future__ import annotations

from pydantic import Field

from milan_core.core.step import Compute, In, OutFolder, Step
from milan_core.report.options import ReportRun


class ReportPages(Step, name="report.pages"):
    """Write the overview, a page for each network, and a page for each experiment."""

    options: ReportRun
    exemplars: list[In] = Field([], description="One file for each network, in the options' order")
    datasets: list[In] = Field([], description="Probe images of each network")
    descriptions: list[In] = Field([], description="descriptions.csv of each network")
    annotations: list[In] = Field([], description="annotations.csv of each annotated network")
    truth: list[In] = Field([], description="truth.csv of each annotated network")
    accuracy: list[In] = Field([], description="accuracy.csv of each network trained in this run")
    sections: list[In] = Field([], description="section.json of each experiment")
    section_files: list[In] = Field([], description="Files and folders that the sections name")
    records: list[In] = Field(
        [], description="Provenance records, or folders with one, to sum up time and memory"
    )
    assets: list[In] = Field([], description="Data packages to credit")
    pages: OutFolder

    def run(self, compute: Compute) -> None:
        """Write all pages and pictures."""
        from milan_core.report.files import ReportFiles, network_files
        from milan_core.report.pages import build_report

        networks = network_files(
            self.options,
            exemplars=self.exemplars,
            datasets=self.datasets,
            descriptions=self.descriptions,
            annotations=self.annotations,
            truth=self.truth,
            accuracy=self.accuracy,
        )
        files = ReportFiles(networks, self.sections, self.section_files, self.records, self.assets)
        build_report(self.options, files, self.pages)
