"""An annotation set described by any captioner, with the captioner's own encoder."""

from __future__ import annotations

import argparse
from pathlib import Path

from milan_core.cli.decoding import captioner_files, decoding_options, find_captioner


def describe_annotation_set(arguments: argparse.Namespace) -> None:
    """Write descriptions.csv, beams.safetensors and perhaps features.safetensors to --out."""
    from milan_core.annotations.images import SetImages
    from milan_core.annotations.released import open_set
    from milan_core.captioner.checkpoint import load_captioner
    from milan_core.captioner.own_encoder import encoder_of
    from milan_core.core import provenance
    from milan_core.core.lock import folder_lock
    from milan_core.describers.sets import describe_set

    path, out = find_captioner(arguments.captioner), Path(arguments.out)
    options = {
        "set": str(arguments.set),
        "captioner": str(path),
        "images": str(arguments.images) if arguments.images else None,
        "transform": arguments.transform,
        "count": arguments.count,
        **decoding_options(arguments).model_dump(exclude_unset=True),
    }
    inputs = captioner_files(path)
    with (
        folder_lock(out),
        provenance.step("describe_set", out, inputs=inputs, options=options) as record,
    ):
        captioner = load_captioner(path).to(arguments.device)
        encoder = encoder_of(captioner, arguments.device, arguments.encoder_weights)
        found = open_set(arguments.set, arguments.count or None)
        images = SetImages(
            *(found, arguments.images, arguments.transform),
            expected=arguments.expect or None,
            threads=arguments.threads,
        )
        record.update(
            describe_set(
                *(found, images, captioner, encoder, decoding_options(arguments)),
                every=not arguments.count,
                keep_features=arguments.keep_features,
                out=out,
            )
        )
    print(f"descriptions: {out / 'descriptions.csv'}, {record['units']} units")
