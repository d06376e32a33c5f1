"""Images for mining, from whatever form they come in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, default_collate

from milan_core.core.errors import UserError
from milan_core.exemplars.batches import ImageSource, raw_bytes
from milan_core.networks.inputs import prepare
from milan_core.networks.options import InputSpec

_ONE_SIZE = "add a transform that gives all one size, such as Resize and CenterCrop"
SAMPLED = 32  # items of a torch data set that name it


def open_source(images: Any, spec: InputSpec | None = None) -> ImageSource:
    """An `ImageSource` from any of the accepted forms.

    - our own `Dataset`, or a uint8 array (N, H, W, 3): normalized by `spec`, which is then needed;
    - codes of a generator (`spec.kind` is "latents"): an array (N, ...), or a data set with
      `latents` beside the images that the generator drew from them;
    - a tensor (N, 3, H, W), normalized already;
    - a torch `Dataset` whose items are a normalized tensor, or a tuple that starts with one;
    - a torch `DataLoader` over such a dataset, not shuffled: its order gives the image ids.
    """
    if spec is not None and spec.kind == "latents":
        return _from_latents(images, spec)
    if isinstance(images, np.ndarray):
        return _from_bytes(images, None, spec)
    stored = None if hasattr(images, "__getitem__") else getattr(images, "images", None)
    if isinstance(stored, np.ndarray):
        return _from_bytes(stored, getattr(images, "fingerprint", None), spec)
    if isinstance(images, torch.Tensor):
        return _from_tensor(images)
    if isinstance(images, DataLoader):
        return _from_loader(images)
    if _is_numbered(images):
        return ImageSource(
            len(images), _sampled_fingerprint(images), rows=lambda ids: _items(images, ids)
        )
    msg = (
        f"images are {type(images).__name__}; expected a tensor (N, 3, H, W), a torch Dataset with "
        "a length, a DataLoader, or a uint8 array (N, H, W, 3) with an InputSpec"
    )
    raise UserError(msg)


def _is_numbered(images: Any) -> bool:
    """Whether `images` has items by number, as lists and the data sets of torch do."""
    named = isinstance(images, Mapping | str) or hasattr(images, "iloc")  # iloc: of pandas
    return hasattr(images, "__getitem__") and hasattr(images, "__len__") and not named


def _sampled_fingerprint(images: Any) -> str:
    """Class, number, and a digest of `SAMPLED` items; with all, each would be read twice."""
    total = len(images)
    digest = hashlib.sha256()
    for index in (
        np.unique(np.linspace(0, total - 1, min(total, SAMPLED)).astype(int)) if total else ()
    ):
        digest.update(raw_bytes(_first(images[int(index)])))
    return f"{type(images).__name__}:{total}:{digest.hexdigest()[:16]}"


def _from_bytes(stored: np.ndarray, fingerprint: str | None, spec: InputSpec | None) -> ImageSource:
    if spec is None:
        msg = "stored images need the network's input: give input=InputSpec(size, mean, std)"
        raise UserError(msg)
    kind = f"{stored.dtype} {stored.shape}"
    parts = (stored[i : i + 256] for i in range(0, len(stored), 256))
    return ImageSource(
        len(stored),
        fingerprint or _fingerprint(kind, parts),
        rows=lambda ids: stored[_as_slice(ids)],
        ready=lambda rows: prepare(rows, spec, rows.device),
        stored=stored,
        input=spec,
    )


def _from_latents(images: Any, spec: InputSpec) -> ImageSource:
    """Codes of a generator as its inputs; the images that it drew from them are the stored ones."""
    codes = images if isinstance(images, np.ndarray) else getattr(images, "latents", None)
    if not isinstance(codes, np.ndarray) or codes.ndim < 2 or codes.dtype.kind not in "fiu":
        got = "none" if codes is None else f"{codes.dtype} {codes.shape}"
        msg = (
            f"a generator is probed with latent codes, numbers (N, ...); got {got}: choose a data "
            "set with latents for it, such as one of kind `generated`"
        )
        raise UserError(msg)
    kind = np.float32 if codes.dtype.kind == "f" else codes.dtype
    fingerprint = getattr(images, "fingerprint", None) or _fingerprint(
        f"{codes.dtype} {codes.shape}", [np.ascontiguousarray(codes)]
    )
    return ImageSource(
        len(codes),
        fingerprint,
        rows=lambda ids: torch.from_numpy(np.array(codes[_as_slice(ids)], kind)),
        stored=getattr(images, "images", None),
        input=spec,
    )


def _from_tensor(images: torch.Tensor) -> ImageSource:
    if not images.is_floating_point() or images.ndim < 2:
        msg = (
            f"images are a {images.dtype} tensor of shape {tuple(images.shape)}; expected "
            "normalized floats (N, 3, H, W), or a uint8 NumPy array (N, H, W, 3) with "
            "input=InputSpec(...)"
        )
        raise UserError(msg)
    kind = f"{images.dtype} {tuple(images.shape)}"
    parts = (images[i : i + 64].detach().cpu() for i in range(0, len(images), 64))
    fingerprint = _fingerprint(kind, (p.contiguous().view(torch.uint8).numpy() for p in parts))
    return ImageSource(len(images), fingerprint, rows=lambda ids: images[_as_slice(ids)])


def _from_loader(loader: DataLoader) -> ImageSource:
    try:
        total = len(loader.dataset)  # type: ignore[arg-type]
    except TypeError:
        msg = "the DataLoader's dataset has no length; mining needs to know the number of images"
        raise UserError(msg) from None
    first: list[Any] = []
    if loader.batch_size is not None:
        with torch.random.fork_rng(devices=[]):
            first, second = (list(islice(iter(loader.sampler), total)) for _ in range(2))
        if first != second:
            msg = "the DataLoader shuffles, so its order cannot give image ids; use shuffle=False"
            raise UserError(msg)
    name = f"{type(loader.dataset).__name__}:{total}"
    plain = loader.collate_fn is default_collate and hasattr(loader.dataset, "__getitem__")
    plain = plain and bool(first) and all(isinstance(index, int) for index in first)
    return ImageSource(
        *(total, name),
        stream=lambda: _loaded(loader),
        items=(lambda n: _items(loader.dataset, np.array(first[:n]))) if plain else None,
    )


def _loaded(loader: DataLoader) -> Iterator[torch.Tensor]:
    """The batches of a loader, copied: it may give one buffer, filled anew each time."""
    batches = iter(loader)
    while True:
        try:
            batch = next(batches, None)
        except RuntimeError as error:
            if "equal size" not in str(error):
                raise
            raise UserError(f"the images of the DataLoader differ in size; {_ONE_SIZE}") from error
        if batch is None:
            return
        yield _first(batch).clone()


def _items(dataset: Any, ids: np.ndarray) -> torch.Tensor:
    """Items of a data set, each copied before the next is asked for."""
    first = _first(dataset[int(ids[0])])
    rows = first.new_empty((len(ids), *first.shape))
    for row, image in enumerate(ids):
        item = _first(dataset[int(image)]) if row else first
        if item.shape != first.shape:
            sizes = f"image {ids[0]} is {tuple(first.shape)}, image {image} {tuple(item.shape)}"
            raise UserError(f"the images of the data set differ in size: {sizes}; {_ONE_SIZE}")
        rows[row] = item
    return rows


def _first(item: Any) -> torch.Tensor:
    tensor = item[0] if isinstance(item, tuple | list) else item
    if not isinstance(tensor, torch.Tensor):
        msg = (
            f"the dataset gives {type(tensor).__name__} items; expected tensors (3, H, W), or "
            "tuples that start with one: add a transform"
        )
        raise UserError(msg)
    return tensor


def _as_slice(ids: np.ndarray) -> slice | np.ndarray:
    """Evenly spaced rows, those of a shard, as a slice: without the copy that a list costs."""
    step = int(ids[1] - ids[0]) if len(ids) > 1 else 1
    if (np.diff(ids) != step).any():
        return ids
    return slice(int(ids[0]), int(ids[-1]) + 1, step)


def _fingerprint(kind: str, parts: Iterable[np.ndarray]) -> str:
    """Digest of an array given in pieces, so that a memory map is never read as a whole."""
    digest = hashlib.sha256(kind.encode())
    for part in parts:
        digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()[:16]
