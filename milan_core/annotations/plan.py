"""Annotation sets in the plan: what the job of each needs."""

from __future__ import annotations

from pathlib import Path

from milan_core.annotations.options import NOT, group_members, is_group
from milan_core.config import Config
from milan_core.core.errors import unknown
from milan_core.core.files import canonical_json, text_hash


def networks(config: Config) -> list[str]:
    """Entries of `models` that are networks: their units are mined here, in images given here."""
    return [name for name in config.models if name in config.model_zoo]


def annotated_networks(config: Config) -> list[str]:
    """Entries of `corpus` that are networks, whose units are mined and annotated here."""
    return [name for name in config.corpus if name not in config.annotation_sets]


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


def side_members(config: Config, side: str, where: str) -> tuple[str, ...]:
    """What a side of a pair stands for: itself, the corpus (`all`), or the sets of a group.

    `not-NAME` is the corpus less one of its members. Raises `UserError` for a group whose sets are
    not configured, and for a name that the corpus lacks; other names are returned as is.
    """
    configured = {*config.annotation_sets, *config.model_zoo}
    if side == "all" and side not in configured:
        return tuple(config.corpus)
    if side.startswith(NOT) and not is_group(side, configured):
        name = side.removeprefix(NOT)
        if name not in config.corpus:
            raise unknown("member of the corpus", name, config.corpus, where)
        return tuple(member for member in config.corpus if member != name)
    if is_group(side, configured):
        return tuple(group_members(side, configured, where))
    return (side,)
