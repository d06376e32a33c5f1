"""An annotation set described by any captioner, with the captioner's own encoder."""

from __future__ import annotations

import argparse
from pathlib import Path

from milan_core.cli.decoding import captioner_files, decoding_options, find_captioner


def describe_annotation_set(arguments: argparse.Namespace) -> None:
    """Write descriptions.csv, beams.safetensors and perhaps features.safetensors to --out."""
    from milan_core.annotations.images import SetImages
    from milan_core.annotations.released import open_set
    from milan_core.core import provenance
    from milan_core.core.lock import folder_lock
    from milan_core.core.step import Compute
    from milan_core.describers.describer import Resources
    from milan_core.describers.driver import describe, write_beams, write_descriptions
    from milan_core.describers.milan import Milan
    from milan_core.describers.options import MilanOptions
    from milan_core.describers.sources import SetUnits

    path, out = find_captioner(arguments.captioner), Path(arguments.out)
    decoding = decoding_options(arguments)
    options = {
        "set": str(arguments.set),
        "captioner": str(path),
        "images": str(arguments.images) if arguments.images else None,
        "transform": arguments.transform,
        "count": arguments.count,
        **decoding.model_dump(exclude_unset=True),
    }
    inputs = captioner_files(path)
    compute = Compute(device=arguments.device, threads=arguments.threads)
    resources = Resources(path, arguments.encoder_weights, compute)
    with (
        folder_lock(out),
        provenance.step("describe_set", out, inputs=inputs, options=options) as record,
    ):
        describer = Milan.load(MilanOptions(decoding=decoding), resources)
        describer.prepare(SetUnits.offers)
        annotations = open_set(arguments.set, arguments.count or None)
        images = SetImages(
            *(annotations, arguments.images, arguments.transform),
            expected=arguments.expect or None,
            threads=arguments.threads,
        )
        units = SetUnits(annotations, images, every=not arguments.count, scratch=out)
        said = describe(describer, units)
        assert units.table is not None
        if arguments.keep_features:
            units.table.save(out / "features.safetensors")
        write_descriptions(out / "descriptions.csv", said, describer.form)
        write_beams(out / "beams.safetensors", said)
        record.update({"units": len(said.keys), "fingerprint": units.table.meta["dataset"]})
    print(f"descriptions: {out / 'descriptions.csv'}, {record['units']} units")
