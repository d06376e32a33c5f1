"""Which source files a stage consists of: its identity for re-runs.

A stage is the import closure of the modules that its commands call, so no list can go stale:
editing a file re-runs the stages that can reach it, and touching files changes nothing. Only the
standard library is used; Snakemake computes this at every start, in half a second.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
ROOT = PACKAGE.parent

# The modules that the commands of a stage call. `cli/<file>` belongs to the stage, but is not
# walked: one file may serve several stages. A test compares this table with those files.
STAGES: dict[str, tuple[str, list[str]]] = {
    "exemplars": (
        "exemplars",
        ["exemplars.mine", "exemplars.store", "networks.zoo", "images.store"],
    ),
}
# Files that code reads beside itself, by the package that reads them.
BESIDE = {
    "milan_core.images.fetch": ["milan_core/images/fetch/registry.yaml"],
    "milan_core.world": ["milan_core/world/*.yaml"],
    "milan_core.ops": ["csrc/**/*"],
}
# Not part of any result of the workflow: recorded beside artefacts, or for interactive use only.
NEUTRAL = {
    "milan_core.core.provenance",
    "milan_core.core.lock",
    "milan_core.core.stages",
}


@functools.cache
def code_version(stage: str) -> str:
    """Twelve hexadecimal digits over the names and contents of the files of a stage."""
    digest = hashlib.sha256()
    for path in stage_files(stage):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def stage_files(stage: str) -> list[Path]:
    """The files of a stage, sorted. Native sources count only in a checkout."""
    command, roots = STAGES[stage]
    modules = closure([f"milan_core.{name}" for name in roots])
    files = {file_of(module) for module in modules} | {PACKAGE / f"cli/{command}.py"}
    for package, patterns in BESIDE.items():
        if any(f"{module}.".startswith(f"{package}.") for module in modules):
            for pattern in patterns:
                files.update(path for path in ROOT.glob(pattern) if path.is_file())
    return sorted(files)


def closure(roots: list[str]) -> set[str]:
    """All modules of this package that `roots` can reach, imports inside functions included."""
    found: set[str] = set()
    queue = list(roots)
    while queue:
        module = queue.pop()
        if module not in found and module not in NEUTRAL:
            found.add(module)
            queue += imported(file_of(module))
    return found


def file_of(module: str) -> Path:
    """The source file of a module or package."""
    base = ROOT.joinpath(*module.split("."))
    return base.with_suffix(".py") if base.with_suffix(".py").is_file() else base / "__init__.py"


@functools.cache
def imported(path: Path) -> tuple[str, ...]:
    """Modules of this package that a file imports; imports for type checkers do not count."""
    tree = ast.parse(path.read_bytes())
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for node in ast.walk(block)
    }
    found: list[str] = []
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("milan_core"):
            found += [_target(str(node.module), alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.startswith("milan_core")]
    return tuple(module for module in found if module != "milan_core")


@functools.cache
def every_import(path: Path) -> tuple[str, ...]:
    """Modules of this package that a file imports, imports for type checkers included."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("milan_core"):
            found += [_target(str(node.module), alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.startswith("milan_core")]
    return tuple(found)


def _target(module: str, name: str) -> str:
    """`from module import name`: the submodule of that name, or the module itself."""
    inner = f"{module}.{name}"
    return inner if file_of(inner).is_file() else module
