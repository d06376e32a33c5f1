"""A data set drawn by a generator: its images, with the masks of the scenes that it drew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from milan_core.core.arrays import write_npy
from milan_core.core.errors import UserError
from milan_core.core.options import Section
from milan_core.images.store import Dataset
from milan_core.images.writing import finish_folder, new_array, start_folder
from milan_core.networks.calling import forward
from milan_core.networks.generators.codes import scene_codes
from milan_core.networks.kept import eval_mode
from milan_core.networks.options import Network
from milan_core.networks.weight_options import FileWeights
from milan_core.networks.weights import read_meta
from milan_core.networks.zoo import load_network

BATCH = 100


class Drawn(Section):
    """The entries of the manifest about the scenes."""

    scenes: str
    world: str


def generate_dataset(
    name: str, model: Network, scenes: Dataset, out: Path, device: str = "cpu"
) -> Dataset:
    """Draw every scene of a world with the generator `model`, which was trained here.

    Instances, scenes and labels are those of `scenes`; `latents.npy` keeps the codes. Masks are
    those of the codes: what the generator leaves out or draws elsewhere is not noticed.

    Raises:
        UserError: for a network that is no generator trained here, and scenes it does not know.

    """
    path = model.weights.path if isinstance(model.weights, FileWeights) else "the factory"
    meta = read_meta(path)
    if not {"names", "colours"} <= set(meta):
        raise UserError(
            f"{path} is not a generator trained here (it keeps no names and "
            "colours of scene codes); train it with weights.objective: draw"
        )
    codes = scene_codes(scenes, meta["names"], meta["colours"])
    start_folder(out)
    write_npy(out / "latents.npy", codes)
    with new_array(out / "instances.npy", scenes.instances.shape, np.uint8) as instances:  # type: ignore[union-attr]
        instances[:] = scenes.instances
    module = load_network(model).module.to(device)
    with (
        new_array(out / "images.npy", scenes.images.shape, np.uint8) as images,
        eval_mode(module),
        torch.inference_mode(),
    ):
        for begin in range(0, len(codes), BATCH):
            drawn = forward(module, torch.from_numpy(codes[begin : begin + BATCH]).to(device))
            pixels = (drawn * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
            images[begin : begin + BATCH] = pixels.cpu().numpy()
    return finish_folder(
        out,
        name=name,
        kind="generated",
        options=Drawn(scenes=scenes.name, world=scenes.kind),
        seed=int(scenes.manifest["seed"]),
        classes=scenes.classes,
        labels=scenes.labels,
        names=[f"drawn scene {number}" for number in range(len(codes))],
        credits=scenes.manifest["credits"],
        scenes=scenes.scenes,
    )
