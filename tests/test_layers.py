"""Imports go one way, no files import in a circle, and light commands stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from milan_core.core.definitions import ROOT, file_of
from milan_core.core.identity import reached, step_code
from milan_core.core.shipped import PACKAGE

# A file imports only from its own floor or from one further down this list.
FLOORS = [
    {"cli", "__main__"},
    {"plan"},
    {"config"},
    {"atlas"},
    {"report"},
    {"experiments", "zoo"},
    {"describers"},
    {"captioner"},
    {"referee"},
    {"scoring"},
    {"annotations"},
    {"exemplars"},
    {"networks"},
    {"endpoint", "images", "world"},
    {"ops"},
    {"options"},
    {"core", "__init__"},
]
DEPTH = {name: depth for depth, names in enumerate(FLOORS) for name in names}
# What a file's name says about its floor, whatever its folder: options are declared without
# anything heavy, plans read the whole configuration.
OPTIONS = {
    "networks.axes",
    "networks.catalog",
    "images.catalog",
    "images.layouts",
    "annotations.groups",
}
PLANS = {"plan"}


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path):
    names = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def floor(module):
    names = [*module.split("."), "__init__"]
    if names[-2] in PLANS:
        return DEPTH["plan"]
    options = names[-2].endswith("options") or ".".join(names[1:-1]) in OPTIONS
    if names[1] != "core" and options:
        return DEPTH["options"]
    return DEPTH[names[1]]


def every_import(path):
    """Modules of this package that a file imports, in functions and for type checkers included."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("milan_core"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if file_of(inner) else node.module
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name.startswith("milan_core"))


def graph():
    """Every import of every file, those for type checkers included."""
    return {
        name_of(path): {m for m in every_import(path) if m != "milan_core"} for path in modules()
    }


def circles(edges):
    """Strongly connected sets of more than one file (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(edges.get(node, ())):
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            start = stack.index(node)
            found.append(stack[start:])
            del stack[start:]

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return [sorted(group) for group in found if len(group) > 1]


def test_imports_go_down():
    wrong = {
        (name, other)
        for name, others in graph().items()
        for other in others
        if name != "milan_core" and floor(other) < floor(name)
    }
    assert not wrong


def test_no_files_import_in_a_circle():
    assert not circles(graph())


def test_a_step_reaches_what_its_functions_import():
    nodes = reached([("milan_core.captioner.features.step", "PoolFeatures")])
    modules = {node[0] for node in nodes if not isinstance(node, Path)}
    files = [node.as_posix() for node in nodes if isinstance(node, Path)]
    assert "milan_core.networks.zoo" in modules, "imported inside a function"
    assert any("/csrc/" in name for name in files), "native sources of the ops it uses"
    assert step_code("features.pool") != step_code("features.encode")


@pytest.mark.parametrize(
    "module",
    [
        "milan_core",
        "milan_core.cli",
        "milan_core.plan",
        "milan_core.exemplars.store",
        "milan_core.annotations.programmatic",
        "milan_core.images.fetch.fetch",
        "milan_core.report.pages",
        "milan_core.experiments.generalization.tables",
    ],
)
def test_light_modules_import_no_torch(module):
    code = (
        f"import sys, {module}; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_help_imports_no_arrays():
    """A mistyped flag is answered before NumPy and what stands on it are loaded."""
    code = (
        "import sys; from milan_core.cli import COMMANDS, build_parser; build_parser(COMMANDS); "
        "sys.exit(' '.join({'numpy', 'torch', 'PIL'} & {*sys.modules}) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
