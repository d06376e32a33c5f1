"""Steps of the features: maps of a data set, features of a network, features of a set."""

from __future__ import annotations

from typing import Any

from milan_core.annotations.options import AnnotationSetSpec
from milan_core.captioner.features.options import JobEncoder
from milan_core.core.parts import Joined, Part, Shared, Work, joined
from milan_core.core.step import Compute, In, Out, OutFolder, Step


class EncodeDataset(Step, name="features.encode", device=True):
    """Run the encoder over the images of a data set, every image once."""

    encoder: JobEncoder
    weights: In | None = None
    """The encoder's weights."""
    dataset: In
    maps: OutFolder

    def run(self, compute: Compute) -> None:
        """Write the maps of every layer."""
        from milan_core.captioner.features.maps import encode_dataset
        from milan_core.captioner.features.pool import load_encoder
        from milan_core.images.store import open_dataset

        encoder = load_encoder(self.encoder, compute.device)
        encode_dataset(encoder, open_dataset(self.dataset), self.maps)


class ExemplarPooling(Shared):
    """The exemplars of a network, and the encoder whose maps are pooled under their masks."""

    part_step = "features.pool_part"

    encoder: JobEncoder
    weights: In | None = None
    """The encoder's weights."""
    exemplars: In
    dataset: In
    """The probe images."""
    seed: int = 0

    def work(self, compute: Compute) -> Work:
        """Features from maps that are made batch by batch, in blocks of images."""
        from milan_core.captioner.features.pool import load_encoder, passing
        from milan_core.exemplars.store import load_exemplars
        from milan_core.images.store import open_dataset

        return passing(
            load_encoder(self.encoder, compute.device),
            load_exemplars(self.exemplars),
            open_dataset(self.dataset),
            pooling=self.encoder.pooling,
            seed=self.seed,
            threads=compute.threads,
        )


class PoolPart(ExemplarPooling, Part, name="features.pool_part", device=True):
    """Encode a part of the images of a network's exemplars and pool their maps.

    For `features.pool` of a pyramid encoder whose maps are not stored.
    """


class PoolFeatures(ExemplarPooling, Joined, name="features.pool", device=True):
    """Pool the maps under the masks of a network's exemplars.

    A spatial encoder runs here, and any encoder whose maps are not stored.
    """

    maps: In | None = None
    """The encoder's maps of all probe images; none: it runs here over the exemplars' images."""
    features: Out

    def run(self, compute: Compute) -> None:
        """Write the features under the exemplars' own masks, and the two controls."""
        import functools

        from milan_core.annotations.mapped import scratch_array
        from milan_core.captioner.features.maps import EncodedMaps
        from milan_core.captioner.features.pool import load_encoder, pool_network, read_pooled
        from milan_core.exemplars.store import load_exemplars
        from milan_core.images.store import open_dataset

        here = self.maps is None or self.encoder.kind == "spatial"
        blocks = joined(self, self.work(compute), read_pooled) if self.parts else None
        table = pool_network(
            EncodedMaps.load(self.maps) if self.maps else None,
            load_exemplars(self.exemplars),
            open_dataset(self.dataset),
            pooling=self.encoder.pooling,
            seed=self.seed,
            encoder=load_encoder(self.encoder, compute.device) if here else None,
            threads=compute.threads,
            blocks=blocks,
            empty=functools.partial(scratch_array, self.features.parent),
        )
        table.save(self.features)


class EncodeSet(Step, name="features.encode_set", device=True):
    """Encode the exemplars of an annotation set, whose files lie where the user keeps them."""

    annotation_set: AnnotationSetSpec
    controls: bool = False
    """Also under shuffled masks and whole images, for the scores of descriptions."""
    encoder: JobEncoder
    weights: In | None = None
    """The encoder's weights."""
    seed: int = 0
    features: Out
    """Scratch files lie beside it meanwhile."""
    annotations: Out

    def run(self, compute: Compute) -> dict[str, Any]:
        """Write features and annotations as the training reads them; the record gets counts."""
        from pathlib import Path

        from milan_core.annotations.images import SetImages
        from milan_core.annotations.records import write_annotations
        from milan_core.annotations.released import open_set
        from milan_core.captioner.features.annotated import (
            annotation_groups,
            annotation_rows,
            encode_set,
        )
        from milan_core.captioner.features.pool import load_encoder
        from milan_core.captioner.features.pooling import MASKINGS

        spec = self.annotation_set
        opened = open_set(Path(spec.path).expanduser(), spec.annotation_count)
        root = Path(spec.images).expanduser() if spec.images else None
        images = SetImages(
            *(opened, root, spec.transform), expected=spec.expect, threads=compute.threads
        )
        table = encode_set(
            *(opened, images, load_encoder(self.encoder, compute.device)),
            pooling=self.encoder.pooling,
            maskings=MASKINGS if self.controls else ("exact",),
            seed=self.seed,
            scratch=self.features.parent,
        )
        texts = annotation_rows(opened)
        write_annotations(self.annotations, texts, annotation_groups(opened))
        table.save(self.features)
        return {
            "units": len(table.rows),
            "annotations": len(texts),
            "fingerprint": table.meta["dataset"],
        }
