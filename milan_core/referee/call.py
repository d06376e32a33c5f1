"""What callers from Python give: a network, its layers, images, and descriptions of its units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from milan_core.core.errors import UserError
from milan_core.core.options import parse
from milan_core.core.units import UnitKey
from milan_core.exemplars.mine import with_axes
from milan_core.images.store import Dataset, open_dataset
from milan_core.networks.layouts import Layout
from milan_core.networks.options import InputSpec, NetworkSpec
from milan_core.networks.trace import listed
from milan_core.networks.zoo import LoadedModel, load_network, parse_network
from milan_core.referee.submitted import Submitted, from_mapping, from_rows, read_submitted

Rows = Sequence[Mapping[str, Any]]
Described = Submitted | Mapping[UnitKey, str | Sequence[str]] | Rows | Path | str


def network_of(
    model: nn.Module | NetworkSpec | Mapping[str, Any] | str,
    layers: str | Sequence[str],
    input: InputSpec | Mapping[str, Any] | None,
    name: str,
    axes: Mapping[str, str] | None = None,
) -> tuple[LoadedModel, str]:
    """The network of a call from Python with its layers, and its name for tables.

    Raises:
        UserError: for what is no network, no input, and no names of layers.

    """
    view = None if input is None else parse(InputSpec, input, "input")
    if isinstance(model, nn.Module):
        title, layout = name or type(model).__name__, with_axes(Layout(), axes or {})
        return LoadedModel(model, view or InputSpec(), listed(model, layers), [], layout), title
    if not isinstance(model, NetworkSpec | Mapping | str):
        raise UserError(
            f"model: got {type(model).__name__}; expected a torch.nn.Module, the name of a network "
            "or an entry of model_zoo"
        )
    if view is not None or axes:
        raise UserError("input and axes are those of a module; a named network has its own")
    names = [layers] if isinstance(layers, str) else list(layers)
    spec = model if isinstance(model, NetworkSpec) else parse_network(model, layers=names)
    return load_network(spec.model_copy(update={"layers": names})), name or spec.factory


def descriptions_of(descriptions: Described) -> Submitted:
    """Descriptions in any form that is taken, as those of a table.

    Raises:
        UserError: for other forms (`submitted.from_rows`), and tables that cannot be read.

    """
    if isinstance(descriptions, Submitted):
        return descriptions
    if isinstance(descriptions, Mapping):
        return from_mapping(descriptions)
    if not isinstance(descriptions, str | Path):
        return from_rows(descriptions)
    return read_submitted(descriptions)


def dataset_of(
    images: Dataset | np.ndarray | Path | str, network: LoadedModel, out: Path
) -> Dataset:
    """The images as a data set; those that are none yet are written to `out`."""
    if isinstance(images, Dataset):
        return images
    if isinstance(images, np.ndarray):
        return stored(images, out)
    if not isinstance(images, str | Path):
        raise UserError(
            f"images: got {type(images).__name__}; expected an array uint8 (N, H, W, 3), a data "
            "set or its folder, or a folder of pictures (tensors and torch data sets: milan.mine)"
        )
    return folder_dataset(Path(images), network, out)


def folder_dataset(images: Path, network: LoadedModel, out: Path, threads: int = 1) -> Dataset:
    """The data set in a folder, or its pictures at the size of the network's input."""
    from milan_core.images.kinds.folder import Folder, FolderOptions

    if (images / "manifest.json").is_file():
        return open_dataset(images)
    size = network.input.size or 224
    kind = Folder(options=FolderOptions(path=str(images), size=size))
    return kind.build("images", out, {}, threads)


def stored(pixels: np.ndarray, out: Path) -> Dataset:
    """Pixels uint8 (N, H, W, 3) as a data set in `out`; raises `UserError` for another form."""
    from milan_core.images.options import KindOptions
    from milan_core.images.writing import finish_folder, new_array, start_folder

    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3 or not len(pixels):
        raise UserError(
            f"images are {pixels.dtype} {pixels.shape}; expected uint8 (N, H, W, 3), RGB, as a "
            "judge looks at them"
        )
    start_folder(out)
    with new_array(out / "images.npy", pixels.shape, np.uint8) as images:
        images[:] = pixels
    return finish_folder(
        out,
        name="images",
        kind="arrays",
        options=KindOptions(),
        seed=0,
        classes=[],
        labels=np.full(len(pixels), -1),
        names=[f"{place}" for place in range(len(pixels))],
        credits=[],
    )
