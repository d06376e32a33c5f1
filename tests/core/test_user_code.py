"""Files of the user's that lie in a project of several files."""

import subprocess
import sys

import pytest

from milan_core.core import projects
from milan_core.core.errors import UserError
from milan_core.core.projects import project_of_file
from milan_core.core.user_code import load_named, within_project

BUILD = "def build():\n    return block()\n"
BLOCKS = "def block():\n    return 'block of this project'\n"


def write(folder, **files):
    for name, text in files.items():
        path = folder / f"{'__init__' if name == 'init' else name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture(autouse=True)
def unchanged():
    """No test leaves a path, an argument or a module of its own in this process."""
    sys.path[:] = [entry for entry in sys.path if entry not in projects._LEFT]
    path, argv, modules = list(sys.path), list(sys.argv), dict(sys.modules)
    yield
    assert sys.argv == argv
    assert sys.path[: len(path)] == path
    sys.path[:] = path
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]
    assert all(sys.modules[name] is module for name, module in modules.items())


@pytest.mark.parametrize("packages", [True, False])
@pytest.mark.parametrize(
    "line",
    [
        "from blocks import block",
        "from .blocks import block",
        "from models.blocks import block",
        "from ..shared import block",
        "from shared import block",
    ],
)
def test_every_way_to_import_a_neighbor(tmp_path, monkeypatch, line, packages):
    project = tmp_path / "project"
    write(project / "src" / "models", net=f"{line}\n{BUILD}", blocks=BLOCKS)
    write(project / "src", shared=BLOCKS)
    (project / "pyproject.toml").touch()
    if packages:
        (project / "src" / "models" / "__init__.py").touch()
    if line.startswith("from ..") and packages:
        (project / "src" / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    file = project / "src" / "models" / "net.py"
    assert load_named(f"{file}:build", "factory")() == "block of this project"
    monkeypatch.chdir(project)
    assert load_named("src/models/net.py:build", "factory")() == "block of this project"


def test_imports_inside_the_callable_and_its_command_line(tmp_path):
    text = (
        "import sys\ndef build():\n    from blocks import block\n    return block(), sys.argv[1:]\n"
    )
    write(tmp_path, net=text, blocks=BLOCKS)
    name = f"{tmp_path}/net.py:build"
    build = within_project(name, load_named(name, "factory"))
    assert build() == ("block of this project", [])


def test_two_projects_with_modules_of_the_same_names(tmp_path):
    for name in ("a", "b"):
        block = f"def block():\n    return {name!r}\n"
        write(tmp_path / name, net="def build():\n    import blocks\n    return blocks.block()\n")
        write(tmp_path / name, blocks=block)
    names = [f"{tmp_path}/{name}/net.py:build" for name in ("a", "b", "a")]
    builds = [within_project(name, load_named(name, "factory")) for name in names]
    assert [build() for build in builds] == ["a", "b", "a"]


def test_a_folder_of_a_project_hides_a_loaded_module_only_while_it_is_loaded(tmp_path):
    import yaml

    write(tmp_path / "yaml", init="", blocks=BLOCKS)
    write(tmp_path, net=f"from yaml.blocks import block\n{BUILD}")
    assert load_named(f"{tmp_path}/net.py:build", "factory")() == "block of this project"
    assert sys.modules["yaml"] is yaml


def test_a_file_named_like_a_package_that_it_imports(tmp_path):
    write(tmp_path, yaml="import yaml\ndef build():\n    return yaml.safe_load('[1]')\n")
    assert load_named(f"{tmp_path}/yaml.py:build", "factory")() == [1]


def test_an_edited_file_of_a_package_is_imported_anew(tmp_path):
    write(tmp_path / "models", init="", net="def build():\n    return 1\n")
    name = f"{tmp_path}/models/net.py:build"
    assert load_named(name, "factory")() == 1
    write(tmp_path / "models", net="def build():\n    return 22\n")
    assert load_named(name, "factory")() == 22


def test_a_module_of_the_current_folder_as_with_python_m(tmp_path, monkeypatch):
    write(tmp_path / "mynets", init="", net=f"from .blocks import block\n{BUILD}")
    write(tmp_path / "mynets", blocks=BLOCKS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    assert load_named("mynets.net:build", "factory")() == "block of this project"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "import argparse\np = argparse.ArgumentParser()\np.add_argument('--data', "
            "required=True)\np.parse_args()\n",
            r"net.py ends the program while it is imported \(.*required: --data\); it is a script",
        ),
        ("raise SystemExit('bye')", r"ends the program .*\(exit code bye\)"),
        ("import nothing_of_this_name", "needs the module 'nothing_of_this_name', which is not"),
        ("import torchvison", r"did you mean torchvision\?$"),
        ("from .blocks import block", r"needs the module '.*\.blocks'"),
        ("1 / 0", "cannot be run: ZeroDivisionError: division by zero"),
        ("def (", "cannot be run: SyntaxError"),
        ("x = 1", "unknown callable 'build'"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path, text, sentence):
    write(tmp_path, net=text)
    with pytest.raises(UserError, match=sentence) as error:
        load_named(f"{tmp_path}/net.py:build", "factory")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("torchvison.models", r"did you mean torchvision.models\?$"),
        ("no_such_package_at_all", r"path/to/file.py:callable$"),
        ("milan_core.core.eror", "did you mean .*milan_core.core.errors"),
    ],
)
def test_hints_name_what_is_spelled_nearly_alike(name, hint):
    with pytest.raises(UserError, match=hint):
        load_named(f"{name}:build", "factory")


def test_roots_of_a_file(tmp_path, monkeypatch):
    write(tmp_path / "lib" / "nets", init="", net="from .. import x")
    monkeypatch.chdir(tmp_path)
    project = project_of_file(tmp_path / "lib" / "nets" / "net.py")
    assert (project.module, project.roots[:2]) == (
        "lib.nets.net",
        (tmp_path, tmp_path / "lib" / "nets"),
    )


def test_from_the_command_line(tmp_path):
    write(tmp_path / "models", init="", net=f"from models.blocks import block\n{BUILD}")
    write(
        tmp_path / "models", blocks="from torch import nn\ndef block(): return nn.Conv2d(3, 4, 3)"
    )
    for factory in ("models/net.py:build", "models.net:build"):
        command = [sys.executable, "-P", "-m", "milan_core", "networks", "inspect"]
        ran = subprocess.run(
            [*command, "--factory", factory, "--size", "8"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
