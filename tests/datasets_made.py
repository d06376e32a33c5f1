"""Data sets for tests, from a few keys."""

from pathlib import Path

from milan_core.core.options import parse
from milan_core.images.spec import DatasetSpec


def build_dataset(name, raw, assets, out, seed, threads=1):
    """Build the data set of an entry of `dataset_zoo`; its options may stand beside `kind`."""
    raw = dict(raw)
    entry = {key: raw.pop(key) for key in ("kind", "assets") if key in raw}
    options = {**raw, **raw.pop("options", {})}
    options.pop("options", None)
    spec = parse(DatasetSpec, {**entry, "options": options, "seed": seed}, "dataset")
    return spec.build(name, Path(out), assets, threads)
