"""Step of the report: pages that open from disk."""

from __future__ import annotations

from pydantic import Field

from milan_core.core.step import Compute, In, OutFolder, Step
from milan_core.report.options import ReportRun


class ReportPages(Step, name="report.pages", timed=("*",)):
    """Write the overview, and a page for each experiment."""

    options: ReportRun
    sections: list[In] = Field([], description="section.json of each experiment")
    section_files: list[In] = Field([], description="Files and folders that the sections name")
    records: list[In] = Field(
        [], description="Provenance records, or folders with one, to sum up time and memory"
    )
    assets: list[In] = Field([], description="Data packages to credit")
    pages: OutFolder

    def run(self, compute: Compute) -> None:
        """Write all pages and pictures."""
        from milan_core.report.pages import ReportFiles, build_report

        files = ReportFiles(self.sections, self.section_files, self.records, self.assets)
        build_report(self.options, files, self.pages)
