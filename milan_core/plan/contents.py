"""The content of what a job reads beside the files of other jobs: part of what it was asked.

Snakemake looks at times. A file of the user's may be replaced by one with an older time, and many
files are no inputs of a rule: pictures, word lists, what a factory imports. So every job has a
digest over the files that its options name (`core.inputs`) and over those inputs that no job of the
run has written; the rules get it by themselves (`workflow/rules/folders.smk`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from milan_core.annotations.options import AnnotationSetSpec
from milan_core.annotations.packing import MASKS, PACKED
from milan_core.core.contents import files_below, files_digest, path_digest
from milan_core.core.errors import UserError
from milan_core.core.files import canonical_json, text_hash
from milan_core.core.inputs import Further, contents_of
from milan_core.core.records import NAME, Records
from milan_core.core.step import find_step, step_fields
from milan_core.describers.listed.options import ListedDescriber
from milan_core.describers.listed.plan import contents_of_listed
from milan_core.images.kinds.published import split_digest
from milan_core.images.layouts import IMAGENET
from milan_core.networks.options import Architecture
from milan_core.networks.version import source_version


def _network(model: Architecture) -> Iterator[str]:
    """The source of a network: an edited one is trained and mined again."""
    yield source_version(model)


def _annotation_set(spec: AnnotationSetSpec) -> Iterator[str]:
    """The files of a set, and the images that its ids count."""
    place = Path(spec.path).expanduser()
    files = [file for file in files_below(place) if file.suffix in SET_FILES and file.exists()]
    yield files_digest((place, file) for file in files if not _is_copy(file))
    if spec.images is not None:
        yield split_digest(Path(spec.images).expanduser(), "val", IMAGENET)


def _is_copy(file: Path) -> bool:
    """Whether a file is a packed copy of masks that lie beside it."""
    return file.name == PACKED and file.with_name(MASKS).is_file()


SET_FILES = (".csv", ".npy", ".zip")  # pages and notes of a set's authors do not count
FURTHER: Further = {
    Architecture: _network,
    AnnotationSetSpec: _annotation_set,
    ListedDescriber: contents_of_listed,
}
"""Files that sections read beside those of their keys."""


class JobContents:
    """Digests of contents for the jobs of one run.

    Args:
        roots: folders that its jobs write below.
        is_output: whether some job of the run writes a path, or would.

    """

    def __init__(
        self, roots: Iterable[str], is_output: Callable[[str], bool] = lambda _: False
    ) -> None:
        self._is_output = functools.cache(is_output)
        self._roots = [Path(root).absolute() for root in roots]
        self._known: dict[str, str] = {}
        self._records = Records()

    def digest(self, step: str, options: Mapping[str, str], inputs: Iterable[str]) -> str:
        """Twelve hexadecimal digits over the contents that a job reads; empty without any.

        Args:
            step: `<folder>.<verb>`.
            options: texts of the step's options, as its command line takes them.
            inputs: files and folders that the rule reads.

        """
        parts = [part for name in sorted(options) for part in self._option(step, name, options)]
        parts += [path_digest(path) for path in inputs if not self._is_made(Path(path))]
        return text_hash(canonical_json(parts)) if any(parts) else ""

    def _option(self, step: str, name: str, options: Mapping[str, str]) -> list[str]:
        text = options[name]
        fields = {field.name: field for field in step_fields(find_step(step))}
        if name not in fields or fields[name].annotation in (int, float, bool):
            return []
        annotation = fields[name].constrained
        plain = fields[name].annotation is str or not isinstance(text, str)
        key = f"{step} {name} {text}"
        if key not in self._known:
            value: Any = text if plain else TypeAdapter(annotation).validate_json(text)
            digests = list(contents_of(value, annotation, self._is_made, FURTHER))
            self._known[key] = text_hash(canonical_json(digests)) if any(digests) else ""
        return [self._known[key]]

    def _is_made(self, path: Path) -> bool:
        """Whether a job of this run has written a file, or will: then Snakemake looks after it."""
        place = path.absolute()
        if not place.exists() or self._is_output(str(path)):
            return True
        if not any(place.is_relative_to(root) for root in self._roots):
            return False
        if place.name.endswith(NAME) or (place / NAME).is_file() or _is_unfinished(place):
            return True  # a record, or what has one in it
        try:
            return self._records.of(place) is not None
        except UserError:  # the record of another release: its step runs again
            return True


def _is_unfinished(place: Path) -> bool:
    """Whether a folder is being written: hidden notes of its job lie beside it."""
    return place.with_name(f".{place.name}.owner").exists()
