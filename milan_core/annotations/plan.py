"""Annotation sets in the plan: what the job of each needs."""

from __future__ import annotations

from pathlib import Path

from milan_core.config import Config
from milan_core.core.files import canonical_json, text_hash


def networks(config: Config) -> list[str]:
    """Entries of `models` that are networks: their units are mined here, in images given here."""
    return [name for name in config.models if name in config.model_zoo]


def annotated_networks(config: Config) -> list[str]:
    """Entries of `corpus` that are networks, whose units are mined and annotated here."""
    return [name for name in config.corpus if name not in config.annotation_sets]


def set_params(config: Config, name: str) -> str:
    """The canonical JSON of one annotation set; of a described one the controls are encoded too."""
    spec = config.annotation_sets[name].model_dump()
    return canonical_json({**spec, "controls": name in config.models})


def set_version(config: Config, name: str) -> str:
    """A digest of names, sizes and times of the set's files, so that changed ones are noticed."""
    path = Path(config.annotation_sets[name].path).expanduser()
    files = [path, *sorted(path.rglob("*"))] if path.is_dir() else [path]
    facts = [
        (str(file), file.stat().st_size, file.stat().st_mtime_ns)
        for file in files
        if file.is_file() and file.suffix in (".csv", ".npy", ".zip")
    ]
    return text_hash(canonical_json(facts))
