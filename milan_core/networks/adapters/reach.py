"""Hubs that cannot be reached: which errors mean that, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

CLIENTS = ("httpx", "httpcore", "requests", "urllib3", "huggingface_hub")
"""Packages whose errors are those of a connection, besides every `OSError`."""


def is_unreached(error: BaseException) -> bool:
    """Whether an exception, or one that led to it, comes from a connection or a download."""
    return any(
        isinstance(one, OSError) or type(one).__module__.partition(".")[0] in CLIENTS
        for one in _chain(error)
    )


def unreached(factory: str, reason: str) -> str:
    """Say that the published weights of a hub's network cannot be had here, and the ways out."""
    why = reason.partition(". ")[0]
    return (
        f"{factory} cannot be loaded: {why}; where its weights cannot be downloaded, give a "
        "file of them with --weights FILE (`weights: {source: file, path: FILE}`), or take random "
        "ones with --kwargs '{\"pretrained\": false}' (`weights: {source: random}`)"
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, and those that it was raised from or while handling, the last one first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        found = error.__cause__ or error.__context__
        if found is None:
            return
        error = found
