"""Steps of drawn data sets: a network draws images from scenes or from random codes."""

from __future__ import annotations

from collections.abc import Mapping

from milan_core.core.options import Name
from milan_core.core.step import Compute, In, OutFolder, Step
from milan_core.images.kinds.latents import Latents
from milan_core.networks.options import Network


class DrawScenes(Step, name="generators.draw", device=True):
    """Draw the scenes of a data set with a generator, keeping their masks."""

    dataset: Name
    model: Network
    weights: In
    scenes: In
    """Folder of the data set whose scenes are drawn."""
    folder: OutFolder

    def run(self, compute: Compute) -> Mapping[str, str]:
        """Write the data set folder."""
        from milan_core.images.store import open_dataset
        from milan_core.networks.generators.generate import generate_dataset

        scenes = open_dataset(self.scenes)
        dataset = generate_dataset(self.dataset, self.model, scenes, self.folder, compute.device)
        return {"fingerprint": dataset.fingerprint}


class DrawLatents(Step, name="generators.latents", device=True):
    """Draw images from random or published codes with a generator."""

    dataset: Name
    spec: Latents
    model: Network
    weights: In | None = None
    folder: OutFolder

    def run(self, compute: Compute) -> Mapping[str, str]:
        """Write the data set folder."""
        from milan_core.networks.generators.latents import build_latents

        dataset = build_latents(self.dataset, self.spec, self.model, self.folder, compute.device)
        return {"fingerprint": dataset.fingerprint}
