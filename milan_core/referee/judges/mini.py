"""The mini judge: a small dual encoder that was trained on training scenes of a world.

    p(text in image) = 1 - prod over positions (1 - sigmoid(s cos(image at position, text) + b))

Images are maps of a frozen network on a grid, texts vectors of a frozen sentence encoder; linear
maps bring both to one space (`training`). A folder holds `judge.json` (what it was made of, with
digests) and `weights.safetensors`; the two frozen networks stay where they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from milan_core.captioner.features.options import JobEncoder
from milan_core.core.errors import UserError, reads
from milan_core.core.files import file_sha256, read_json, write_json
from milan_core.core.shapes import check_arrays
from milan_core.core.tensors import map_tensors, save_tensors
from milan_core.referee.judge import JudgedImages, JudgeResources
from milan_core.referee.judges.frozen import SentenceVectors, TextEncoder, WordSums, grid_maps
from milan_core.referee.judges.maps import IMAGES, Maps, cell_means
from milan_core.referee.options import MiniOptions

if TYPE_CHECKING:
    import torch

    from milan_core.networks.zoo import LoadedModel

KIND, VERSION = "milan-judge", 1
RECORD, WEIGHTS = "judge.json", "weights.safetensors"
TEXTS = 64  # of one product


class Judge:
    """The trained judge with its frozen networks.

    Args:
        maps: the trained parts.
        network: the frozen network of images.
        layers: its layers that are read.
        grid: cells a side.
        texts: the encoder of texts.
        model: identity for `refuse_same_model`.
        world: whose words it learned.

    """

    name = "mini judge"

    def __init__(
        self,
        maps: Maps,
        network: LoadedModel,
        layers: Sequence[str],
        grid: int,
        texts: TextEncoder,
        model: str,
        world: str = "stickers",
    ) -> None:
        self.model, self.world, self._maps, self._network = model, world, maps, network
        self._layers, self._grid, self._texts = list(layers), grid, texts
        self._last: tuple[JudgedImages, np.ndarray] | None = None
        self._seen: dict[str, np.ndarray] = {}

    @classmethod
    def load(cls, options: MiniOptions, resources: JudgeResources) -> Judge:
        """Read a folder of `referee.train_judge`, with the frozen networks that it names.

        Raises:
            UserError: where a part is missing or differs from what the judge was trained with.

        """
        if resources.folder is None:
            raise UserError(
                "mini judge: give the folder of a trained one (--judge FOLDER); the default run "
                "writes results/judge"
            )
        return load_folder(resources.folder, resources)

    def columns(self, images: JudgedImages, texts: Sequence[str]) -> np.ndarray:
        """Presence of each text in each image: float32 [images, texts], 0 to 1."""
        import torch

        vectors, out = self.vectors(images), np.zeros((len(images), len(texts)), np.float32)
        with torch.inference_mode():
            for first, count, projected in self._blocks(texts):
                for start in range(0, len(vectors), IMAGES):
                    block = torch.from_numpy(vectors[start : start + IMAGES]).float()
                    seen = -torch.expm1(-self._maps.evidence(block, projected))
                    out[start : start + IMAGES, first : first + count] = seen[:, :count].numpy()
        return out

    def _blocks(self, texts: Sequence[str]) -> Iterator[tuple[int, int, torch.Tensor]]:
        """Unit vectors (TEXTS, width) of texts block by block: (first, texts in the block, them).

        Blocks are filled up, so that a text's bits do not depend on how many others there are.
        """
        import torch

        embedded = torch.from_numpy(self._texts.embed(texts))
        for first in range(0, len(texts), TEXTS):
            part = embedded[first : first + TEXTS]
            filled = torch.cat([part, part[:1].expand(TEXTS - len(part), -1)])
            yield first, len(part), self._maps.of_texts(filled)

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of texts: float32 [texts, width]."""
        import torch

        with torch.inference_mode():
            parts = [vectors[:count].numpy() for _, count, vectors in self._blocks(texts)]
        width = len(self._maps.text_bias)
        return np.concatenate([np.zeros((0, width), np.float32), *parts])

    def presences(
        self, vectors: np.ndarray, texts: np.ndarray, shares: np.ndarray | None = None
    ) -> np.ndarray:
        """Presence of each text in each image, or in a part of it: float32 [images, texts].

        Args:
            vectors: float16 [images, cells, width], of `look` or `vectors`.
            texts: float32 [texts, width], of `embed_texts`.
            shares: float32 [images, cells], how much the evidence of each cell counts; None: whole.

        """
        import torch

        counted = None if shares is None else torch.from_numpy(shares)
        with torch.inference_mode():
            images = torch.from_numpy(np.asarray(vectors)).float()
            evidence = self._maps.evidence(images, torch.from_numpy(texts), counted)
            return np.asarray(-torch.expm1(-evidence).numpy())

    def look(self, pixels: np.ndarray) -> np.ndarray:
        """Unit vectors of the cells of images uint8 (n, H, W, 3): float16 [n, cells, width]."""
        return self._encode(pixels, np.arange(len(pixels)))

    def image_vectors(self, images: JudgedImages) -> np.ndarray:
        """Unit vectors of whole images, the mean of their cells: float32 [images, width]."""
        means = self.image_means(images)
        return np.asarray(means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12))

    def vectors(self, images: JudgedImages) -> np.ndarray:
        """Unit vectors of the cells of each image: float16 [images, cells, width]."""
        if self._last is None or self._last[0] is not images:
            seen = self._seen.get(getattr(images.dataset, "fingerprint", ""))
            if seen is not None and len(seen) != len(images.dataset):
                raise UserError(
                    f"data set {images.dataset.name}: the judge has seen {len(seen)} images, and "
                    f"there are {len(images.dataset)}; look at the images again"
                )
            self._last = (
                images,
                self._encode(images.dataset.images, images.ids)
                if seen is None
                else seen[images.ids],
            )
        return self._last[1]

    def image_means(self, images: JudgedImages) -> np.ndarray:
        """Means over the cells of each image of their vectors: float32 [images, width]."""
        return cell_means(self.vectors(images))

    def text_vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of texts by the frozen encoder: float32 [texts, d]."""
        return self._texts.embed(texts)

    def remember(self, fingerprint: str, vectors: np.ndarray) -> None:
        """Take the vectors of all images of a data set, which `vectors` gave before.

        Raises:
            ValueError: for arrays that this judge cannot have made.

        """
        form = {"vectors": "float16 images cells width"}
        check_arrays({"vectors": vectors}, form, width=len(self._maps.text_bias))
        self._seen[fingerprint] = vectors

    def _encode(self, pixels: Any, ids: np.ndarray) -> np.ndarray:
        import torch

        parts = []
        with torch.inference_mode():
            for maps in grid_maps(self._network, self._layers, pixels, ids, self._grid):
                parts.append(self._maps.of_images(maps).half().cpu().numpy())
        return np.concatenate(parts)


def save_folder(
    folder: Path, maps: Maps, encoder: JobEncoder, texts: TextEncoder, facts: dict[str, Any]
) -> None:
    """Write a judge; `facts` (grid, training data, measures) go into its record."""
    folder.mkdir(parents=True, exist_ok=True)
    save_tensors(folder / WEIGHTS, KIND, VERSION, maps.arrays(), {})
    text_folder = texts.folder if isinstance(texts, SentenceVectors) else None
    record = {
        "format": KIND,
        "version": VERSION,
        "encoder": encoder.record(),
        "text": {"folder": _beside(text_folder, folder), "digest": texts.digest},
        "weights": file_sha256(folder / WEIGHTS),
        "places": {"encoder": _beside(_weights_path(encoder), folder)},
        **facts,
    }
    write_json(folder / RECORD, record)


@reads("the folder of a mini judge", "train the judge again")
def folder_model(folder: Path) -> str:
    """Identity of the judge in a folder, as `Judge.model`."""
    record = read_json(folder / RECORD, "mini judge")
    return _model(record["weights"])


def _model(weights: str) -> str:
    return f"mini judge {weights[:16]}"


@reads("the folder of a mini judge", "train the judge again")
def load_folder(folder: Path, resources: JudgeResources) -> Judge:
    """The judge of `save_folder`; raises `UserError` where a part is missing or has changed."""
    from milan_core.networks.shipped import check_shipped
    from milan_core.networks.zoo import load_network, model_hash

    record = read_json(folder / RECORD, "mini judge")
    if not isinstance(record, dict) or record.get("format") != KIND:
        raise UserError(f"{folder / RECORD} is no {KIND}; give the folder of a trained judge")
    if record.get("version") != VERSION:
        raise UserError(f"{folder}: judge of version {record.get('version')}; train it again")
    if file_sha256(folder / WEIGHTS) != record["weights"]:
        raise UserError(f"{folder / WEIGHTS} differs from its record; train the judge again")
    arrays, _ = map_tensors(folder / WEIGHTS, KIND, dict[str, str], (VERSION,))
    encoder = _moved(JobEncoder.from_record(record["encoder"]), folder, record["places"])
    check_shipped(encoder.model, f"mini judge {folder}")
    network = load_network(encoder.model)
    if model_hash(network.module) != record["encoder_hash"]:
        raise UserError(
            f"mini judge {folder}: the weights of its network of images differ from those that it "
            "was trained with; restore them or train the judge again"
        )
    texts = _text_encoder(record["text"], folder, resources)
    network.module.to(resources.compute.device)
    maps = Maps.from_arrays(dict(arrays))
    model = _model(record["weights"])
    return Judge(
        *(maps, network, encoder.layers, record["grid"], texts, model), world=record["world"]
    )


def _text_encoder(named: dict[str, str], folder: Path, resources: JudgeResources) -> TextEncoder:
    if named["digest"] == WordSums.digest:
        return WordSums()
    place = resources.assets.get("text") or folder / named["folder"]
    if not place.is_dir():
        raise UserError(f"mini judge {folder}: its text encoder is not at {place}; fetch `minilm`")
    texts = SentenceVectors(place)
    if texts.digest != named["digest"]:
        raise UserError(
            f"mini judge {folder}: the text encoder at {place} differs from the one that it was "
            "trained with; restore it or train the judge again"
        )
    return texts


def _weights_path(encoder: JobEncoder) -> Path | None:
    path = getattr(encoder.model.weights, "path", None)
    return Path(path) if path else None


def _beside(path: Path | None, folder: Path) -> str:
    """A path relative to the judge's folder, so that both may move together."""
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix() if path else ""


def _moved(encoder: JobEncoder, folder: Path, places: dict[str, str]) -> JobEncoder:
    """The encoder with its weights where they lie relative to the judge."""
    path, place = _weights_path(encoder), places.get("encoder", "")
    if path is None or path.is_file() or not place:
        return encoder
    weights = encoder.model.weights.model_copy(update={"path": str(folder / place)})
    return encoder.model_copy(
        update={"model": encoder.model.model_copy(update={"weights": weights})}
    )
