"""Describe the units of an annotation set with the captioner's own encoder and pooling."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from milan_core.captioner.describe import decode
from milan_core.captioner.descriptions import COLUMNS, description_rows
from milan_core.captioner.features.annotated import encode_set
from milan_core.captioner.options import DecodingOptions
from milan_core.captioner.reading import decoding_of, pooling_of
from milan_core.core.files import write_csv
from milan_core.describers.stage import write_beams

if TYPE_CHECKING:
    from milan_core.annotations.images import SetImages
    from milan_core.annotations.released import AnnotationSet
    from milan_core.captioner.captioner import Captioner
    from milan_core.captioner.features.encoder import Encoder


def describe_set(
    found: AnnotationSet,
    images: SetImages,
    captioner: Captioner,
    encoder: Encoder,
    options: DecodingOptions,
    *,
    out: Path,
    every: bool = False,
    keep_features: bool = False,
) -> dict[str, Any]:
    """Write descriptions.csv and beams.safetensors of a set to the folder `out`.

    Args:
        found: the set.
        images: its images by id.
        captioner: any, of a run or published.
        encoder: the captioner's own, of `own_encoder.encoder_of`.
        options: of `Captioner.decode`; a published captioner brings its own where they are silent.
        out: folder; scratch files lie in it meanwhile.
        every: units without annotations too.
        keep_features: also write features.safetensors, which `milan describe units` reads.

    Returns:
        Entries for the provenance record.

    """
    table = encode_set(
        found, images, encoder, pooling=pooling_of(captioner), scratch=out, every=every
    )
    if keep_features:
        table.save(out / "features.safetensors")
    said = decode(captioner, table.arrays["exact"], decoding_of(captioner, options))
    write_csv(out / "descriptions.csv", COLUMNS, description_rows(table.rows, said))
    write_beams(out / "beams.safetensors", table.rows, said)
    return {"units": len(table.rows), "fingerprint": table.meta["dataset"]}
