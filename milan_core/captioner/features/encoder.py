"""The frozen encoder of the captioner: any network, the maps of some of its layers.

The maps depend on the image alone; masks only weight them afterwards (spec 4.1, `pooling`). So
every distinct image goes through the network once, whatever the number of exemplars on it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from milan_core.captioner.features.options import Pooling
from milan_core.captioner.features.pooling import DEFAULT, MaskedLayer, masked_layer, pool_images
from milan_core.captioner.features.spatial import spatial_features
from milan_core.core.errors import UserError, unknown
from milan_core.core.files import canonical_json, text_hash
from milan_core.core.progress import tracked
from milan_core.exemplars.store import ExemplarSet

if TYPE_CHECKING:
    import torch

    from milan_core.networks.trace import Trace
    from milan_core.networks.zoo import LoadedModel

KINDS = ("pyramid", "spatial")
_FLOAT16_MAX = 65504.0


class Encoder:
    """A frozen network with the layers that are read, shallow to deep.

    Args:
        model: the network.
        layers: names or patterns; default: those of the model's spec.
        kind: ``pyramid`` averages the maps of all layers under a mask: one vector an exemplar.
            ``spatial`` (spec 4.1) reads the last layer's map of the masked image: one vector a
            cell of the map.
        batch_size: images a forward pass.
        device: where the network runs.
        dtype: of the maps. float16 is what features are stored in; released captioners were
            trained on float32.

    """

    def __init__(
        self,
        model: LoadedModel,
        layers: Sequence[str] = (),
        *,
        kind: str = "pyramid",
        batch_size: int = 64,
        device: str = "cpu",
        dtype: str = "float16",
    ) -> None:
        from milan_core.networks.trace import resolve_layers

        if kind not in KINDS:
            raise unknown("encoder kind", kind, KINDS)
        self.model = model
        self.layers = resolve_layers(model.module, layers) if layers else list(model.layers)
        if not self.layers:
            msg = "the encoder has no layers; list them under `layers` of its spec"
            raise UserError(msg)
        self.kind = kind
        self.batch_size = batch_size
        self.device = device
        self.dtype = np.dtype(dtype)
        self._hash = ""
        self._recorded: dict[str, torch.Tensor] = {}  # of the pass that runs

    @property
    def hash(self) -> str:
        """Digest of network, layers, input and kind: equal digests give equal maps.

        Of the network count class, arguments, weights and the user's source, wherever they lie, so
        that features and captioners of one encoder go together on any machine.
        """
        if not self._hash:
            from milan_core.networks.fingerprint import portable_fingerprint
            from milan_core.networks.zoo import model_hash

            facts = [model_hash(self.model.module), self.layers, self.model.input.facts()]
            facts.append(self.model.post_relu)
            if source := portable_fingerprint(self.model):
                facts.append(source)
            if layout := self.model.layout.facts():
                facts.append(layout)
            if (self.kind, self.dtype) != ("pyramid", np.float16):
                facts += [self.kind, self.dtype.name]
            self._hash = text_hash(canonical_json(facts), digits=16)
        return self._hash

    def encode_maps(self, images: np.ndarray, ids: np.ndarray | None = None) -> list[np.ndarray]:
        """Maps of `images[ids]` (all of them without `ids`).

        Args:
            images: uint8 (N, H, W, 3), RGB.
            ids: int (n,); a repeated id is encoded again, so pass distinct ones.

        Returns:
            One array (n, C, h, w) a level, rows in the order of `ids`.

        """
        rows = np.arange(len(images)) if ids is None else np.asarray(ids)
        return self.fill_maps(images, rows, lambda level, shape: np.empty(shape, self.dtype))

    def fill_maps(
        self,
        images: np.ndarray,
        rows: np.ndarray,
        make: Callable[[int, tuple[int, ...]], np.ndarray],
    ) -> list[np.ndarray]:
        """As `encode_maps`, in arrays that `make` gives for a level and its shape."""
        if not len(rows):
            msg = "there are no images to encode"
            raise UserError(msg)
        out: list[np.ndarray] = []
        begin = 0
        for _, maps in self.batches(images, rows):
            if not out:
                out = [make(level, (len(rows), *m.shape[1:])) for level, m in enumerate(maps)]
            for array, part in zip(out, maps, strict=True):
                array[begin : begin + len(part)] = part
            begin += len(maps[0])
        return out

    def batches(
        self, images: Any, ids: np.ndarray, most: int | None = None, *, stay: bool = False
    ) -> Generator[tuple[np.ndarray, list[Any]]]:
        """Ids and maps, batch by batch; `images[ids]` must give uint8 (n, H, W, 3).

        With `most` no batch has more images: 64 of resnet101 at 224 pixels take 1.5 GB. Maps are
        arrays, with `stay` tensors where they were made on a GPU (`pooling` takes both).
        """
        from milan_core.networks.feeding import fed

        step = min(self.batch_size, most or self.batch_size)
        parts = [ids[begin : begin + step] for begin in range(0, len(ids), step)]
        pixels = fed(((images[part], part) for part in parts), self.device)
        size = len(ids)
        for batch, part in tracked(
            pixels, "encoding", "image", total=size, size=lambda item: len(item[1])
        ):
            maps = self._maps(batch)
            kept = stay and on_gpu(maps[0])
            yield part, maps if kept else [level.cpu().numpy() for level in maps]

    def forward(self, pixels: np.ndarray) -> list[np.ndarray]:
        """Maps of one batch of images uint8 (n, H, W, 3)."""
        from milan_core.networks.feeding import as_tensor

        batch = as_tensor(pixels).to(self.device)
        return [level.cpu().numpy() for level in self._maps(batch)]

    def _maps(self, batch: torch.Tensor) -> list[torch.Tensor]:
        """Maps of images uint8 (n, H, W, 3) on the device."""
        import torch

        from milan_core.networks.inputs import prepare

        self.model.module.to(self.device)
        with self._trace as trace, torch.inference_mode():
            trace(prepare(batch, self.model.input, batch.device))
        recorded = self._recorded.copy()
        self._recorded.clear()
        return [recorded[name] for name in self.layers]

    @functools.cached_property
    def _trace(self) -> Trace:
        """One for all batches, so that passes after the first end behind the last layer."""
        import torch

        from milan_core.networks.trace import Trace

        def keep(name: str, tensor: torch.Tensor) -> None:
            maps, _ = self.model.layout.maps(tensor, name)
            maps = maps.float()
            if self.dtype == np.float16:
                # A rare value beyond float16 is kept as the largest one rather than as infinity.
                maps = maps.clamp(-_FLOAT16_MAX, _FLOAT16_MAX).half()
            self._recorded[name] = maps if maps.dtype == torch.float16 else maps.clone()

        return Trace(self.model.module, self.layers, keep, post_relu=self.model.post_relu)

    def features(
        self,
        images: np.ndarray,
        exemplars: ExemplarSet,
        mask_size: int = 224,
        pooling: Pooling = DEFAULT,
    ) -> dict[str, np.ndarray]:
        """Features of every layer's exemplars, {layer: float32 (U, k, F)}, every image once.

        No more than one batch of maps is kept, so any number of images fits.
        """
        layers = [masked_layer(exemplars, name, mask_size) for name in exemplars.layers]
        if self.kind == "spatial":
            return {one.name: spatial_features(self, images, one, mask_size) for one in layers}
        ids = used_images(layers)
        batches = self.batches(images, ids, stay=True)
        pooled = pool_images(batches, layers, mask_size, pooling=pooling)["exact"]
        edges = np.cumsum([len(layer.ids) for layer in layers])[:-1]
        return dict(zip(exemplars.layers, np.split(pooled, edges), strict=True))


def on_gpu(maps: torch.Tensor) -> bool:
    """Whether maps are in memory that the host does not read."""
    return maps.device.type != "cpu"


def used_images(layers: Sequence[MaskedLayer]) -> np.ndarray:
    """int64 (n,): ids of the images that any exemplar shows, ascending."""
    ids = np.unique(np.concatenate([layer.ids.ravel() for layer in layers]))
    ids = ids[ids >= 0]
    if not len(ids):
        msg = "there are no images to encode: no unit has an exemplar"
        raise UserError(msg)
    return ids
