"""Definitions of this package and what each names, as read from the sources; nothing is run.

A definition is named by its module and name. `WHOLE` stands for all definitions of a module,
`EFFECTS` for the statements that run when it is imported. Named are functions, classes and
constants of this package, imports inside functions included; data files whose name a definition
holds; and modules in a full string such as "milan_core.networks.minis.cnn:resnet_mini".
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from milan_core.core.shipped import PACKAGE

ROOT = PACKAGE.parent
NAME = PACKAGE.name
NATIVE = {f"{NAME}._core": "csrc", f"{NAME}._cuda": "csrc"}
WHOLE, EFFECTS = "*", "<import>"

Node = tuple[str, str]  # module, definition
_MODULE = re.compile(rf"^{NAME}(\.\w+)+(:\w+)?$")


@dataclass
class Module:
    """The top level of one file."""

    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, Node] = field(default_factory=dict)  # bound name -> module, definition
    effects: list[ast.stmt] = field(default_factory=list)


@functools.cache
def references(module: str, name: str) -> tuple[Node | Path, ...]:
    """Definitions, modules and files that a definition names, in this package."""
    info = read(module)
    nodes: set[Node | Path] = set()
    if name == WHOLE:
        nodes.update((module, other) for other in info.definitions)
    for statement in statements_of(module, name):
        nodes.update(_named(statement, module, info))
    return tuple(sorted(nodes, key=str))


def statements_of(module: str, name: str) -> list[ast.stmt]:
    """The statements of a definition, or with `EFFECTS` those that importing the module runs."""
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
        elif is_docstring(statement) or _is_type_checking(statement):
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
        for statement in statements_of(module, name)
        for item in ast.walk(statement)
        if isinstance(item, ast.Import | ast.ImportFrom)
    ]
    names = [
        alias.name if isinstance(item, ast.Import) else item.module or ""
        for item in items
        for alias in item.names
    ]
    return frozenset({name.split(".")[0] for name in names} - {NAME, ""})


def is_docstring(statement: object) -> bool:
    """Whether a statement is a constant alone, such as a docstring."""
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
