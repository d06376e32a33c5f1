"""Imports go one way, stages declare their sources, and light commands stay light."""

import ast
import subprocess
import sys

import pytest

from milan_core import plan

# A module imports only from its own layer or from one further down this list.
LAYERS = [
    {"cli", "__main__"},
    {"report", "experiments"},
    {"describe"},
    {"features"},
    {"exemplars"},
    {"data", "models", "text", "assets"},
    {"ops"},
    {"plan"},
    {"config"},
    {"runtime"},
    {"errors", "__init__"},
]
DEPTH = {name: depth for depth, names in enumerate(LAYERS) for name in names}
# What the layering allows beside going down: annotations join exemplars with the ground truth.
ALLOWED = {("data", "exemplars")}


def part(module: str) -> str:
    return (module.split(".") + ["__init__"])[1]


def imports(path, include_lazy=True):
    tree = ast.parse(path.read_text())
    checked = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    ]
    skipped = {id(child) for block in checked for child in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("milan_core"):
            for alias in node.names:
                candidate = plan.PACKAGE.parent / node.module.replace(".", "/") / f"{alias.name}.py"
                folder = plan.PACKAGE.parent / node.module.replace(".", "/") / alias.name
                if candidate.is_file() or folder.is_dir():
                    yield f"{node.module}.{alias.name}"
                else:
                    yield node.module
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("milan_core"))


def modules():
    return sorted(path for path in plan.PACKAGE.rglob("*.py"))


def test_imports_go_down():
    wrong = []
    for path in modules():
        own = (path.relative_to(plan.PACKAGE).with_suffix("").parts)[0]
        for module in imports(path):
            other = part(module)
            if own == "__init__" or (own, other) in ALLOWED:
                continue
            if DEPTH[other] < DEPTH[own]:
                wrong.append(f"{path.relative_to(plan.PACKAGE)} imports {module}")
    assert not wrong


def file_of(module: str):
    base = plan.PACKAGE.parent / module.replace(".", "/")
    return base.with_suffix(".py") if base.with_suffix(".py").is_file() else base / "__init__.py"


@pytest.mark.parametrize("stage", sorted(plan.STAGE_SOURCES))
def test_stage_sources_cover_the_import_closure(stage):
    listed = set(plan.stage_files(stage))
    shared = {plan.PACKAGE / "cli/common.py", plan.PACKAGE / "__init__.py"}
    queue = [path for path in listed if path.suffix == ".py"]
    missing, seen = set(), set(queue)
    while queue:
        for module in imports(queue.pop()):
            path = file_of(module)
            if path in seen or path in shared:
                continue
            seen.add(path)
            queue.append(path)
            if path not in listed and path.name != "__init__.py":
                missing.add(str(path.relative_to(plan.PACKAGE)))
    assert not missing


@pytest.mark.parametrize(
    "module",
    ["milan_core", "milan_core.cli", "milan_core.config", "milan_core.plan", "milan_core.exemplars.state",
     "milan_core.exemplars.store", "milan_core.data.build", "milan_core.assets.fetch",
     "milan_core.report.pages", "milan_core.experiments.tables"],
)  # fmt: skip
def test_light_modules_import_no_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
