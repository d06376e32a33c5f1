"""Identity of a network's source and weights, without loading it: what the plan and jobs go by.

A network is its factory with the arguments, the code that the factory reaches (definitions of this
package, files of the user's with all that they import), and the libraries that it runs on. The
content of its files of weights counts as that of all files (`core.options.content_of`).
`networks.fingerprint` is the identity of a loaded network.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version
from pathlib import Path
from typing import Any

from milan_core.core.contents import content_digest, files_below, files_digest, path_digest
from milan_core.core.definitions import NAME, WHOLE, Node, file_of, imported_libraries
from milan_core.core.files import canonical_json, text_hash
from milan_core.core.identity import digest, reached
from milan_core.core.user_files import Closure, closure, module_file
from milan_core.networks.adapters import FILES, HUBS
from milan_core.networks.options import Architecture, NetworkSpec
from milan_core.networks.weight_options import StoredWeights

_NAME = re.compile(r"[\w.-]+")  # of a requirement
LIBRARIES = ("torch", "torchvision", "timm", "transformers")  # whose versions can change a network


def source_version(model: Architecture) -> str:
    """Twelve hexadecimal digits over the source of a network.

    It covers definitions of this package that the factory and the conversion of the weights reach,
    the user's files with all that they import, saved programs, files and folders among the
    arguments, matrices of directions, and the versions of the libraries in use and of `LIBRARIES`
    below them.
    """
    return text_hash(" ".join(_parts(model)))


def user_code(model: Architecture) -> Closure:
    """The files of the user's that build a network and convert its weights."""
    files = [_user_file(text) for text in _callables(model)]
    return closure(path for path in files if path is not None)


def portable_source(model: Architecture) -> str:
    """A digest of factory, arguments and the user's files, wherever these lie.

    It does not depend on places, libraries and releases of this package, so that a captioner and
    features that were made elsewhere with the same encoder go together.
    """
    kind, _, name = model.factory.partition(":")
    files, factory = user_code(model).digest(), model.factory
    if kind in FILES:
        factory = _file_digest(name)
    elif files:
        factory = factory.rpartition(":")[2]
    return text_hash(canonical_json([factory, model.kwargs, files]))


def _argument_files(model: Architecture) -> str:
    """A digest of what arguments of the factory name: files, and folders by a text with a slash."""
    places = [Path(text).expanduser() for text in _texts(model.kwargs)]
    return files_digest((place, file) for place in places for file in files_below(place))


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value that is the path of a file or folder; keys of caches do not count."""
    if isinstance(value, str) and 0 < len(value) < 1024 and "\0" not in value:
        place = os.path.expanduser(value)  # noqa: PTH111 - such as "imagenet", of no path
        if os.path.isfile(place) or ("/" in value and os.path.isdir(place)):  # noqa: PTH112, PTH113
            yield value
    for key, item in value.items() if isinstance(value, Mapping) else ():
        yield from _texts(item) if "cache" not in str(key) else ()
    for item in value if isinstance(value, list | tuple) else ():
        yield from _texts(item)


def _parts(model: Architecture) -> Iterator[str]:
    kind, _, name = model.factory.partition(":")
    if kind in FILES:
        yield _file_digest(name)
    if kind == "hf" and Path(name).expanduser().is_dir():  # of `save_pretrained`
        yield path_digest(name)
    if isinstance(model, NetworkSpec):
        yield from (_file_digest(direction.path) for direction in model.directions.values())
    yield _argument_files(model)
    found = user_code(model)
    yield found.digest()
    nodes = {node for text in _callables(model) for node in _package_nodes(text)}
    nodes |= found.package
    whole = reached(nodes)
    yield digest(whole) if nodes else ""
    pairs = [node for node in whole if isinstance(node, tuple)]
    ours = {name for pair in pairs for name in imported_libraries(*pair)} & {*LIBRARIES}
    named = {text.partition(".")[0] for text in _callables(model) if not _user_file(text)}
    used = {*ours, *found.libraries, *named - {NAME}}
    yield from _versions({"torch", *used, *_beneath(used - {*LIBRARIES})})


def _callables(model: Architecture) -> list[str]:
    """`module:callable` or `file.py:callable` of the factory, and of the conversion of weights."""
    texts = [{**HUBS, **FILES}.get(model.factory.partition(":")[0], model.factory)]
    weights = model.weights if isinstance(model, NetworkSpec) else None
    if isinstance(weights, StoredWeights) and weights.convert:
        texts.append(weights.convert)
    return texts


def _package_nodes(text: str) -> list[Node]:
    module, _, attribute = text.rpartition(":")
    if not module.startswith(f"{NAME}.") or file_of(module) is None:
        return []
    return [(module, attribute.partition(".")[0] or WHOLE)]


def _user_file(text: str) -> Path | None:
    """The file of the user's that a callable is in; None for this package and what is installed."""
    module = text.rpartition(":")[0]
    if module.endswith(".py"):
        file = Path(module).expanduser()
        return file if file.is_file() else None
    return None if module.partition(".")[0] == NAME else module_file(module)


def _versions(names: set[str]) -> Iterator[str]:
    """Name and version of installed modules; CPU and CUDA builds of one version are the same."""
    for name in sorted(names):
        yield f"{name} {_version(name).partition('+')[0]}"


def _beneath(modules: set[str]) -> set[str]:
    """Find the `LIBRARIES` that installed packages require, such as timm below a collection."""
    queue, seen = [_distribution(name) for name in sorted(modules)], set[str]()
    while queue:
        name = queue.pop().lower().replace("_", "-")
        if name and name not in seen:
            seen.add(name)
            if name not in LIBRARIES:
                queue += [match[0] for need in _needs(name) if (match := _NAME.match(need))]
    return seen & {*LIBRARIES}


def _needs(distribution: str) -> list[str]:
    """Requirements of an installed distribution, without those of its extras."""
    try:
        return [need for need in requires(distribution) or [] if "extra ==" not in need]
    except PackageNotFoundError:
        return []


def _distribution(module: str) -> str:
    """The distribution that a module belongs to; empty where it is not installed."""
    try:
        version(module)
    except (PackageNotFoundError, ValueError):
        return next(iter(_owners().get(module, [])), "")
    return module


@functools.cache
def _owners() -> Mapping[str, list[str]]:
    return packages_distributions()


def _version(module: str) -> str:
    distribution = _distribution(module)
    return version(distribution) if distribution else ""


def _file_digest(path: str) -> str:
    file = Path(path).expanduser()
    return content_digest(file)[:12] if file.is_file() else ""
