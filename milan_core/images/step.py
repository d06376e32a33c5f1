"""Step of data sets that are composed or read."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from milan_core.core.options import Name
from milan_core.core.step import Compute, In, OutFolder, Step
from milan_core.images.kind import AnyKind


class BuildImages(Step, name="images.build"):
    """Compose or read a data set."""

    dataset: Name
    spec: AnyKind
    assets: list[In] = Field([])
    """Folders of the assets that the kind reads, in the order in which it names them."""
    folder: OutFolder

    def run(self, compute: Compute) -> Mapping[str, str]:
        """Write the data set folder."""
        assets = dict(zip(self.spec.read_assets, self.assets, strict=True))
        dataset = self.spec.build(self.dataset, self.folder, assets, compute.threads)
        return {"fingerprint": dataset.fingerprint}
