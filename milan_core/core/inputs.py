"""Files that a configuration names, as part of what its jobs are made of.

A key whose value is a path is declared as `InputPath`. `contents_of` goes through any options and
gives the digests of all such files, so a job is planned again when one of them changes, whatever
its time. A section that reads more than its keys name (lists beside a folder) says so in
`Section.further_contents`, or `plan.contents.FURTHER` has a function for its class; a key that one
of these looks after is a `HandledPath`. `tests/core/test_inputs.py` walks all keys of the
configuration and all options of steps, so none is forgotten.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, get_args, get_origin

from pydantic import AfterValidator, BaseModel

from milan_core.core.contents import path_digest
from milan_core.core.options import Section


@dataclass(frozen=True)
class ReadsFile:
    """Marks a text as the path (or pattern, or start of names) of files that jobs read."""

    handled: bool = False  # by `further_contents` of its section


def expanded(path: str) -> str:
    """A path of the user's with the home folder for `~`, which neither rules nor libraries expand.

    Raises:
        ValueError: for a user whom this machine does not know.

    """
    given = os.path.expanduser(path)  # noqa: PTH111 - keeps the end of a pattern as it is
    if given.startswith("~"):
        user = given.partition("/")[0]
        raise ValueError(f"this machine knows no home folder {user!r}; give the whole path")
    return given


UserPath = Annotated[str, AfterValidator(expanded)]
InputPath = Annotated[UserPath, ReadsFile()]
HandledPath = Annotated[UserPath, ReadsFile(handled=True)]

Passed = Callable[[Path], bool]
Further = Mapping[type, Callable[[Any], Iterator[str]]]


def contents_of(
    value: Any,
    annotation: Any = None,
    passed: Passed = lambda _: False,
    further: Further = MappingProxyType({}),
) -> Iterator[str]:
    """Digests of the files that options name, in the order of the keys; empty for missing ones.

    Args:
        value: a section, or plain values of the type `annotation` that hold sections.
        annotation: of a value that is no section.
        passed: paths that do not count, such as those that jobs of the run write.
        further: for classes of sections, what they read beside the files of their keys.

    """
    mark = reads_file(annotation)
    if isinstance(value, str) and mark is not None:
        yield "" if mark.handled or passed(Path(value)) else path_digest(value)
    elif isinstance(value, BaseModel):
        for name, info in type(value).model_fields.items():
            full: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else None
            yield from contents_of(getattr(value, name), full or info.annotation, passed, further)
        if isinstance(value, Section):
            yield from value.further_contents()
        for cls, contents in further.items():
            if isinstance(value, cls):
                yield from contents(value)
    elif isinstance(value, Mapping):
        inner = _inner(annotation, -1)
        for key in sorted(value):
            yield from contents_of(value[key], inner, passed, further)
    elif isinstance(value, list | tuple):
        inner = _inner(annotation, 0)
        for item in value:
            yield from contents_of(item, inner, passed, further)


def reads_file(annotation: Any) -> ReadsFile | None:
    """The mark of a type that is a path, also of one that may be missing; None for other types."""
    for item in getattr(annotation, "__metadata__", ()):
        for mark in (item, *getattr(item, "metadata", ())):  # of the field of a step
            if isinstance(mark, ReadsFile):
                return mark
    if get_origin(annotation) in (dict, list, tuple):
        return None
    for argument in get_args(annotation):
        if (found := reads_file(argument)) is not None:
            return found
    return None


def _inner(annotation: Any, position: int) -> Any:
    """The type of the items of a container, which may be annotated or optional."""
    if get_origin(annotation) in (dict, list, tuple):
        return get_args(annotation)[position]
    for argument in get_args(annotation):
        if (inner := _inner(argument, position)) is not None:
            return inner
    return None
