"""Imports go one way, stages declare their sources, and light commands stay light."""

import subprocess
import sys
from pathlib import Path

import pytest

from milan_core.core import stages as sources
from milan_core.core.identity import reached, step_code

# A file imports only from its own floor or from one further down this list.
FLOORS = [
    {"cli", "__main__"},
    {"plan"},
    {"config"},
    {"report"},
    {"experiments"},
    {"describers"},
    {"captioner"},
    {"referee"},
    {"scoring"},
    {"annotations"},
    {"exemplars"},
    {"networks"},
    {"images", "world"},
    {"ops"},
    {"options"},
    {"core", "__init__"},
]
DEPTH = {name: depth for depth, names in enumerate(FLOORS) for name in names}
# What a file's name says about its floor, whatever its folder: options are declared without
# anything heavy, plans read the whole configuration.
OPTIONS = {"networks.catalog", "images.catalog", "images.layouts", "annotations.groups"}
PLANS = {"plan"}
# Still to go: upward imports and circles of the layout before.
UPWARD = {
    ("annotations.options", "config"),
    ("experiments.analyze.options", "config"),
    ("experiments.audit.options", "config"),
    ("experiments.baselines.options", "config"),
    ("experiments.edit.options", "config"),
}
CIRCLES = {
    "exemplars.published_layout",
    "annotations.options",
}


def part(module: str) -> str:
    return [*module.split("."), "__init__"][1]


def modules():
    return sorted(sources.PACKAGE.rglob("*.py"))


def name_of(path):
    names = path.relative_to(sources.ROOT).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def floor(module):
    names = [*module.split("."), "__init__"]
    if names[-2] in PLANS:
        return DEPTH["plan"]
    options = names[-2].endswith("options") or ".".join(names[1:-1]) in OPTIONS
    if names[1] != "core" and options:
        return DEPTH["options"]
    return DEPTH[names[1]]


def graph():
    """Every import of every file, those for type checkers included."""
    return {
        name_of(path): {m for m in sources.every_import(path) if m != "milan_core"}
        for path in modules()
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
    assert {tuple(name.removeprefix("milan_core.") for name in pair) for pair in wrong} <= UPWARD


def test_no_files_import_in_a_circle():
    assert {group[0].removeprefix("milan_core.") for group in circles(graph())} <= CIRCLES


def test_stages_name_everything_their_commands_import():
    for stage, (command, _) in sources.STAGES.items():
        reached = set()
        for other, (file, _) in sources.STAGES.items():
            if file == command:
                reached |= set(sources.stage_files(other))
        for module in sources.imported(sources.PACKAGE / f"cli/{command}.py"):
            if part(module) in ("cli", "runtime", "errors", "sources") or module in sources.NEUTRAL:
                continue
            beside = {(one, module) for one, (file, _) in sources.STAGES.items() if file == command}
            assert sources.file_of(module) in reached or beside & NOT_IN_WORKFLOW, (stage, module)


# Verbs that no rule calls: `exemplars export`, `models inspect`,
# `captioner convert`, and all of `annotations` but `write`.
NOT_IN_WORKFLOW = {
    ("exemplars", "milan_core.exemplars.published_layout"),
    ("annotation_sets", "milan_core.annotations.catalog"),
    ("annotation_sets", "milan_core.exemplars.store"),
    ("annotation_sets", "milan_core.annotations.export"),
    ("annotation_sets", "milan_core.annotations.facts"),
    ("annotation_sets", "milan_core.annotations.merge"),
    ("annotation_sets", "milan_core.annotations.pictures"),
    ("annotation_sets", "milan_core.annotations.records"),
    ("annotation_sets", "milan_core.annotations.released"),
}


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
