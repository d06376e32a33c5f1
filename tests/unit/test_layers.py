"""Imports go one way, stages declare their sources, and light commands stay light."""

import subprocess
import sys

import pytest

from milan_core import sources

# A module imports only from its own layer or from one further down this list.
LAYERS = [
    {"cli", "__main__"},
    {"report", "experiments", "rehearsal"},
    {"describe", "families", "labels"},
    {"features"},
    {"exemplars"},
    {"annotations", "data", "models", "text"},
    {"ops"},
    {"plan"},
    {"assets"},
    {"config", "sources"},
    {"runtime"},
    {"errors", "__init__"},
]
DEPTH = {name: depth for depth, names in enumerate(LAYERS) for name in names}
# What the layering allows beside going down: annotations join exemplars with the ground truth.
ALLOWED = {("data", "exemplars")}


def part(module: str) -> str:
    return [*module.split("."), "__init__"][1]


def modules():
    return sorted(sources.PACKAGE.rglob("*.py"))


def test_imports_go_down():
    wrong = []
    for path in modules():
        own = path.relative_to(sources.PACKAGE).with_suffix("").parts[0]
        for module in sources.imported(path):
            other = part(module)
            if own == "__init__" or (own, other) in ALLOWED:
                continue
            if DEPTH[other] < DEPTH[own]:
                wrong.append(f"{path.relative_to(sources.PACKAGE)} imports {module}")
    assert not wrong


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


# Verbs that no rule calls: `assets list`, `exemplars export`, `models inspect`,
# `captioner convert`, and all of `annotations` but `write`.
NOT_IN_WORKFLOW = {
    ("captioner", "milan_core.describe.convert"),
    ("exemplars", "milan_core.exemplars.legacy"),
    ("assets", "milan_core.assets.catalog"),
    ("targets", "milan_core.models.dictionary"),
    ("targets", "milan_core.models.inspect"),
    ("targets", "milan_core.models.listing"),
    ("annotations", "milan_core.annotations.catalog"),
    ("annotations", "milan_core.annotations.export"),
    ("annotations", "milan_core.annotations.facts"),
    ("annotations", "milan_core.annotations.merge"),
    ("annotations", "milan_core.annotations.pictures"),
    ("annotations", "milan_core.annotations.records"),
    ("annotations", "milan_core.annotations.released"),
}


def test_a_stage_is_its_import_closure():
    files = {path.relative_to(sources.ROOT).as_posix() for path in sources.stage_files("features")}
    assert "milan_core/models/zoo.py" in files, "imported inside a function"
    assert "milan_core/runtime/files.py" in files
    assert any(name.startswith("csrc/") for name in files), "native sources of the ops it uses"
    assert not any(name.startswith("milan_core/report") for name in files)
    assert sources.code_version("features") != sources.code_version("describe")


@pytest.mark.parametrize(
    "module",
    [
        "milan_core",
        "milan_core.cli",
        "milan_core.plan",
        "milan_core.exemplars.store",
        "milan_core.data.annotate",
        "milan_core.assets.fetch",
        "milan_core.report.pages",
        "milan_core.experiments.tables",
    ],
)
def test_light_modules_import_no_torch(module):
    code = (
        f"import sys, {module}; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
