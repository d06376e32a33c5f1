"""Identity of code: a digest of the definitions that a step can reach.

A step is re-run when a definition that it can reach changes, and for nothing else: docstrings,
comments and layout do not count, nor do other definitions of the same file. The digest is made of
syntax trees, so touching or moving lines changes nothing.

Reached is: what a definition names (functions, classes, constants of this package, imports inside
functions included), the statements that modules run when they are imported, data files whose name a
reached definition holds, the native sources where `_core` is imported, and modules named by a full
string such as "milan_core.networks.minis.cnn:resnet_mini". A registry that builds module names at
run time is not followed; its users give the entry as a further root.

Only the standard library is used; Snakemake computes this at every start.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from milan_core.core.handed_down import files_as_they_are, handed_down
from milan_core.core.shipped import PACKAGE, shipped_root

ROOT = PACKAGE.parent
NAME = PACKAGE.name
# Recorded beside results, never part of them.
NEUTRAL = {
    f"{NAME}.core.{module}"
    for module in ("records", "attempts", "lock", "machine", "identity", "handed_down")
}
NATIVE = {f"{NAME}._core": "csrc", f"{NAME}._cuda": "csrc"}
WHOLE, EFFECTS = "*", "<import>"

Node = tuple[str, str]  # module, definition
_MODULE = re.compile(rf"^{NAME}(\.\w+)+(:\w+)?$")
_COMMENT = re.compile(rb"//[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass
class Module:
    """The top level of one file."""

    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, Node] = field(default_factory=dict)  # bound name -> module, definition
    effects: list[ast.stmt] = field(default_factory=list)


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
def references(module: str, name: str) -> tuple[Node | Path, ...]:
    """Definitions, modules and files that a definition names, in this package."""
    info = read(module)
    nodes: set[Node | Path] = set()
    if name == WHOLE:
        nodes.update((module, other) for other in info.definitions)
    for statement in _statements(module, name):
        nodes.update(_named(statement, module, info))
    return tuple(sorted(nodes, key=str))


def _statements(module: str, name: str) -> list[ast.stmt]:
    info = read(module)
    if name == EFFECTS:
        return info.effects
    return info.definitions.get(name, [])


def _named(statement: ast.stmt, module: str, info: Module) -> Iterator[Node | Path]:
    local = dict(info.imports)
    used_as_modules: set[int] = set()
    for item in ast.walk(statement):
        if isinstance(item, ast.Import | ast.ImportFrom):
            bound = _bindings(item)
            local |= bound
            yield from (target for target in bound.values() if target[1] != WHOLE)
    for item in ast.walk(statement):
        if isinstance(item, ast.Attribute) and isinstance(item.value, ast.Name):
            target = local.get(item.value.id)
            if target and target[1] == WHOLE:
                used_as_modules.add(id(item.value))
                yield target[0], item.attr
        elif isinstance(item, ast.Constant) and isinstance(item.value, str):
            yield from _from_string(item.value, module)
    for item in ast.walk(statement):
        if isinstance(item, ast.Name) and id(item) not in used_as_modules:
            if item.id in local:
                yield local[item.id]
            elif item.id in info.definitions:
                yield module, item.id


def _from_string(text: str, module: str) -> Iterator[Node | Path]:
    if _MODULE.match(text):
        name, _, definition = text.partition(":")
        yield name, definition or WHOLE
    elif re.fullmatch(r"[\w.-]{1,40}", text):
        file = file_of(module)
        beside = file.parent / text if file else ROOT
        if "." in text and beside.is_file() and beside.suffix != ".py":
            yield beside
        elif text == "templates" and beside.is_dir():
            yield from (path for path in beside.rglob("*") if path.is_file())


@functools.cache
def read(module: str) -> Module:
    """The top level of a module: definitions, imports of this package, statements with effects."""
    path = file_of(module)
    info = Module()
    if path is None:
        return info
    for statement in ast.parse(path.read_bytes()).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            info.imports |= _bindings(statement)
        elif _is_docstring(statement) or _is_type_checking(statement):
            continue
        elif names := _defined(statement):
            for name in names:
                info.definitions.setdefault(name, []).append(statement)
        else:
            info.effects.append(statement)
            for item in ast.walk(statement):
                if isinstance(item, ast.Import | ast.ImportFrom):
                    info.imports |= _bindings(item)
    return info


def _defined(statement: ast.stmt) -> list[str]:
    """Names that a top-level statement binds, where binding them is all it does."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    inner = [item for target in targets for item in ast.walk(target)]
    names = [item.id for item in inner if isinstance(item, ast.Name)]
    plain = all(isinstance(target, ast.Name | ast.Tuple) for target in targets)
    return names if plain else []


def _bindings(statement: ast.Import | ast.ImportFrom) -> dict[str, Node]:
    """Names that an import binds to modules or definitions of this package."""
    bindings: dict[str, Node] = {}
    if isinstance(statement, ast.ImportFrom):
        module = statement.module or ""
        if module.split(".")[0] == NAME:
            for alias in statement.names:
                inner = f"{module}.{alias.name}"
                whole = file_of(inner) is not None or inner in NATIVE
                target = (inner, WHOLE) if whole else (module, alias.name)
                bindings[alias.asname or alias.name] = target
    else:
        for alias in statement.names:
            if alias.name.split(".")[0] == NAME:
                bindings[alias.asname or NAME] = (alias.name, WHOLE)
    return bindings


@functools.cache
def imported_libraries(module: str, name: str) -> frozenset[str]:
    """Top-level names from outside this package that a definition or its file's head imports."""
    path = file_of(module)
    head = ast.parse(path.read_bytes()).body if path else []
    items = [item for item in head if isinstance(item, ast.Import | ast.ImportFrom)]
    items += [
        item
        for statement in _statements(module, name)
        for item in ast.walk(statement)
        if isinstance(item, ast.Import | ast.ImportFrom)
    ]
    names = [
        alias.name if isinstance(item, ast.Import) else item.module or ""
        for item in items
        for alias in item.names
    ]
    return frozenset({name.split(".")[0] for name in names} - {NAME, ""})


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_type_checking(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test)


@functools.cache
def file_of(module: str) -> Path | None:
    """The source file of a module or package; None where there is none."""
    base = ROOT.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@functools.cache
def _content(module: str, name: str) -> bytes:
    """The syntax of a definition without docstrings."""
    return b"\n".join(_dump(statement) for statement in _statements(module, name))


def _dump(statement: ast.stmt) -> bytes:
    for item in ast.walk(statement):
        body = getattr(item, "body", None)
        if isinstance(body, list) and body:
            item.body = [child for child in body if not _is_docstring(child)]  # type: ignore[attr-defined]
    return ast.dump(statement, annotate_fields=False).encode()


def _file_content(path: Path) -> bytes:
    """A data file's bytes; native sources without comments and layout."""
    data = path.read_bytes()
    if _is_native(path):
        return b" ".join(_COMMENT.sub(b" ", data).split())
    return data
