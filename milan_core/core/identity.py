"""Identity of code: a digest of the definitions that a step can reach.

A step is re-run when a definition that it can reach changes, and for nothing else: docstrings,
comments and layout do not count, nor do other definitions of the same file. The digest is made of
syntax trees, so touching or moving lines changes nothing.

Reached is what a definition names (`core.definitions`), the statements that modules run when they
are imported, and the native sources where `_core` is imported. A registry that builds module names
at run time is not followed; its users give the entry as a further root.

Only the standard library is used; Snakemake computes this at every start.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from milan_core.core.definitions import (
    EFFECTS,
    NAME,
    NATIVE,
    ROOT,
    WHOLE,
    Node,
    file_of,
    is_docstring,
    read,
    references,
    statements_of,
)
from milan_core.core.handed_down import files_as_they_are, handed_down
from milan_core.core.shipped import PACKAGE, shipped_root

# Recorded beside results, never part of them.
NEUTRAL = {
    f"{NAME}.core.{module}"
    for module in ("records", "attempts", "lock", "machine", "identity", "handed_down")
} | {f"{NAME}.core.definitions"}
_COMMENT = re.compile(rb"//[^\n]*|/\*.*?\*/", re.DOTALL)


@functools.cache
def step_code(step: str, *roots: str) -> str:
    """Twelve hexadecimal digits over everything that a step can reach.

    Args:
        step: `<folder>.<verb>`, or `module:definition` without the package's name.
        roots: further modules or definitions, `module` or `module:definition`, such as the entry of
            a registry that the step looks up by name.

    """
    sources = files_as_they_are(PACKAGE, shipped_root() / "csrc")
    return handed_down(" ".join((step, *roots)), sources, lambda: _computed(step, *roots))


def _computed(step: str, *roots: str) -> str:
    from milan_core.core.step import find_step

    names = list(roots)
    if ":" in step:
        names.append(step)
    else:
        cls = find_step(step)
        names.append(f"{cls.__module__}:{cls.__name__}".removeprefix(f"{NAME}."))
    return digest(reached(_root(name) for name in names))


def _root(name: str) -> Node:
    module, _, definition = name.partition(":")
    return f"{NAME}.{module}", definition or WHOLE


def digest(nodes: Iterable[Node | Path]) -> str:
    """The digest of reached definitions and files."""
    total = hashlib.sha256()
    for node in sorted(nodes, key=_order):
        if isinstance(node, Path):
            total.update(_place(node).encode() + b"\0" + _file_content(node))
        else:
            total.update("\0".join(node).encode() + b"\0" + _content(*node))
    return total.hexdigest()[:12]


def _order(node: Node | Path) -> tuple[bool, str]:
    return isinstance(node, Path), _place(node) if isinstance(node, Path) else str(node)


def _place(path: Path) -> str:
    """Where a file lies in a clone; an installed package keeps the native sources elsewhere."""
    return path.relative_to(shipped_root() if _is_native(path) else ROOT).as_posix()


def _is_native(path: Path) -> bool:
    return path.is_relative_to(shipped_root() / "csrc")


def reached(roots: Iterable[Node]) -> set[Node | Path]:
    """Definitions and files that the roots can reach, themselves included."""
    seen: set[Node | Path] = set()
    queue: list[Node | Path] = list(roots)
    while queue:
        node = queue.pop()
        if node in seen:
            continue
        if isinstance(node, Path):
            seen.add(node)
            continue
        module, name = node
        if module in NATIVE:
            queue += [
                path for path in (shipped_root() / NATIVE[module]).rglob("*") if path.is_file()
            ]
            continue
        if module in NEUTRAL or file_of(module) is None:
            continue
        target = _resolved(module, name)
        if target == node:
            seen.add(node)
            queue += _next(module, name)
        elif target is not None:
            queue.append(target)
    return seen


def _next(module: str, name: str) -> Iterator[Node | Path]:
    """The definitions reached directly from one, its module's and packages' import included."""
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        yield ".".join(parts[:end]), EFFECTS
    yield from references(module, name)


def _resolved(module: str, name: str) -> Node | None:
    """Find the definition of a module's name; None for a name that it does not have."""
    info = read(module)
    if name in (WHOLE, EFFECTS) or name in info.definitions:
        return module, name
    if name in info.imports:
        return info.imports[name]
    return (f"{module}.{name}", WHOLE) if file_of(f"{module}.{name}") else None


@functools.cache
def _content(module: str, name: str) -> bytes:
    """The syntax of a definition without docstrings."""
    return b"\n".join(_dump(statement) for statement in statements_of(module, name))


def _dump(statement: ast.stmt) -> bytes:
    for item in ast.walk(statement):
        body = getattr(item, "body", None)
        if isinstance(body, list) and body:
            item.body = [child for child in body if not is_docstring(child)]  # type: ignore[attr-defined]
    return ast.dump(statement, annotate_fields=False).encode()


def _file_content(path: Path) -> bytes:
    """A data file's bytes; native sources without comments and layout."""
    data = path.read_bytes()
    if _is_native(path):
        return b" ".join(_COMMENT.sub(b" ", data).split())
    return data
