"""Steps that fetch: pinned packages and published weights."""

from __future__ import annotations

from milan_core.core.step import Compute, Out, OutFolder, Step
from milan_core.images.fetch.options import NamedAsset, PublishedFile


class FetchAsset(Step, name="fetch.asset"):
    """Fetch a pinned package file, check it and unpack what is used."""

    asset: NamedAsset
    folder: OutFolder

    def run(self, compute: Compute) -> None:
        """Fill the folder of the asset."""
        from milan_core.images.fetch.fetch import fetch_asset

        fetch_asset(self.asset, self.folder)


class FetchWeights(Step, name="fetch.weights"):
    """Fetch a published file of weights and check it.

    The digest of the first download stays beside the file (`images.fetch.trust`): it is no output,
    which Snakemake would delete before the next download is compared with it.
    """

    file: PublishedFile
    weights: Out

    def run(self, compute: Compute) -> None:
        """Bring the file to its place."""
        from milan_core.images.fetch.download import fetch_file

        fetch_file(self.file, self.weights)
