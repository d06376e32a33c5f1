"""Identity of a network's source: an edited architecture must be trained and mined again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from milan_core.core.files import file_sha256, text_hash
from milan_core.core.identity import NAME, WHOLE, digest, reached
from milan_core.networks.adapters import FILES, HUBS
from milan_core.networks.options import Architecture, NetworkSpec
from milan_core.networks.weight_options import StoredWeights


def source_version(model: Architecture) -> str:
    """Twelve hexadecimal digits over the source of a network.

    It covers definitions of this package that the factory and the conversion of the weights reach,
    the user's files with them, saved programs, and matrices of directions.
    """
    return text_hash(" ".join(_parts(model)))


def _parts(model: Architecture) -> Iterator[str]:
    kind, _, name = model.factory.partition(":")
    if kind in FILES:
        yield _file_digest(name)
    yield _callable_digest({**HUBS, **FILES}.get(kind, model.factory))
    if isinstance(model, NetworkSpec):
        yield from (_file_digest(direction.path) for direction in model.directions.values())
        if isinstance(model.weights, StoredWeights):
            yield _callable_digest(model.weights.convert or "")


def _callable_digest(text: str) -> str:
    """Of `milan_core.module:callable`, or of the file in `path/to/file.py:callable`."""
    module, _, attribute = text.rpartition(":")
    if module.endswith(".py"):
        return _file_digest(module)
    if not module.startswith(f"{NAME}."):
        return ""
    return digest(reached([(module, attribute.partition(".")[0] or WHOLE)]))


def _file_digest(path: str) -> str:
    file = Path(path).expanduser()
    return file_sha256(file)[:12] if file.is_file() else ""
