"""Step of the atlas: the browser of a run's networks and experiments."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from milan_core.atlas.options import AtlasRun
from milan_core.core.step import Compute, In, OutFolder, Step


class BuildAtlas(Step, name="atlas.build", timed=("run.js", "decoding.js")):
    """Write the atlas: units, exemplars, descriptions with scores, experiments, and the page."""

    options: AtlasRun
    files: list[In] = Field(description="Files of all networks, in the order of their roles")
    sections: list[In] = Field([], description="section.json of each experiment")
    section_files: list[In] = Field([], description="Files and folders that the sections name")
    records: list[In] = Field(
        [], description="Provenance records, or folders with one, to sum up time and memory"
    )
    assets: list[In] = Field([], description="Data packages to credit")
    atlas: OutFolder

    def run(self, compute: Compute) -> dict[str, Any]:
        """Write the folder."""
        from milan_core.atlas.build import AtlasFiles, Heading, build_atlas
        from milan_core.atlas.files import given_networks

        networks = given_networks(self.options.networks, self.files)
        files = AtlasFiles(networks, self.sections, self.records, self.assets)
        told = self.options
        heading = Heading(told.title, told.notice, told.names, told.scored, told.sets)
        return build_atlas(files, self.atlas, heading)
