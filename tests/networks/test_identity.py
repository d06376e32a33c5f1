"""Identity of a network: what it reaches counts, where it lies and what it says do not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from milan_core.networks import version
from milan_core.networks.options import Architecture, NetworkSpec
from milan_core.networks.version import portable_source, source_version

NET = '''"""A network."""
import json
from pathlib import Path
from torch import nn
{imports}

class Net(nn.Module):
    """It."""
    def __init__(self, factor=1.0):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.factor = factor

    def forward(self, x):
        return act(self.conv(x)) * self.factor

def build(factor=1.0):
    return Net(factor)
'''
ACT = "import torch\ndef act(x):\n    return torch.relu(x)\n"

LAYOUTS = {  # how the file of the network imports `act`, where that lies, and the factory
    "a file beside it": ("from acts import act", "acts.py", "net.py:build"),
    "a relative import": ("from .acts import act", "pkg/acts.py", "pkg/net.py:build"),
    "the root of its project": (
        "from deep.er.acts import act",
        "deep/er/acts.py",
        "a/net.py:build",
    ),
    "a package by name": ("from mynets.acts import act", "mynets/acts.py", "mynets.net:build"),
    "inside a function": (
        "def act(x):\n    from acts import act\n    return act(x)",
        "acts.py",
        "net.py:build",
    ),
    "by a constant": (
        "import importlib\nact = importlib.import_module('acts').act",
        "acts.py",
        "net.py:build",
    ),
    "through another file": ("from middle import act", "acts.py", "net.py:build"),
}


def project(folder, layout):
    """Write a project; returns its architecture and the file that holds `act`."""
    imports, place, factory = LAYOUTS[layout]
    module = factory.partition(":")[0]
    net = Path(module) if module.endswith(".py") else Path(*module.split(".")).with_suffix(".py")
    files = {net: NET.format(imports=imports), Path(place): ACT, Path("pyproject.toml"): ""}
    files[Path("middle.py")] = "from acts import act\n"
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    for package in ("pkg", "mynets", "deep", "deep/er"):
        if (folder / package).is_dir():
            (folder / package / "__init__.py").touch()
    return Architecture(factory=factory), folder / place


def edit(path, before, after, keep_time=False):
    stat = path.stat()
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    if keep_time:
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns - 10**12))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_edit_of_what_the_factory_reaches_counts(tmp_path, monkeypatch, layout):
    monkeypatch.chdir(tmp_path)
    model, acts = project(tmp_path, layout)
    before = source_version(model)
    edit(acts, "def act(x):\n", 'def act(x):\n    """It."""\n    # A remark.\n')
    (acts.parent / "unrelated.py").write_text("x = 1\n")
    assert source_version(model) == before
    edit(acts, "relu", "tanh", keep_time=True)
    assert source_version(model) != before


def test_files_that_the_source_names_and_the_conversion_of_weights_count(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, _ = project(tmp_path, "a file beside it")
    (tmp_path / "conv.py").write_text("from helper import rename as convert\n")
    (tmp_path / "helper.py").write_text("def rename(state):\n    return state\n")
    weights = {"source": "file", "path": "w.pt", "convert": "conv:convert"}
    spec = NetworkSpec(**model.model_dump(), weights=weights)
    versions = [source_version(spec)]
    edit(tmp_path / "helper.py", "return state", "return dict(state)")
    versions.append(source_version(spec))
    edit(tmp_path / "net.py", "def build", "SIZES = Path('sizes.json')\n\ndef build")
    (tmp_path / "sizes.json").write_text("1")
    versions.append(source_version(spec))
    (tmp_path / "sizes.json").write_text("2")
    versions.append(source_version(spec))
    assert len(set(versions)) == 4


READS = {  # how a source says where its data lies, and where that is
    "a path": ('HERE / "data/scale.json"', "data/scale.json"),
    "parts of a path": ('HERE / "data" / "scale.json"', "data/scale.json"),
    "a part by a name": ('HERE / FOLDER / "scale.json"', "data/scale.json"),
    "a call": ('HERE.joinpath("data", "scale.json")', "data/scale.json"),
    "os.path": ('os.path.join(os.path.dirname(__file__), "data", "scale.json")', "data/scale.json"),
    "a sum": ('os.path.dirname(__file__) + "/data/scale.json"', "data/scale.json"),
    "a template": ('f"{HERE}/data/scale.json"', "data/scale.json"),
    "a folder above": ('HERE.parent / "scale.json"', "../scale.json"),
    "no ending": ('HERE / "scales"', "scales"),
    "its own name": ('Path(__file__).with_suffix(".json")', "net.json"),
    "an absolute path": ('Path("{folder}/elsewhere.json")', "../../elsewhere.json"),
}


@pytest.mark.parametrize("reads", READS)
def test_data_of_a_source_counts_however_its_place_is_said(tmp_path, monkeypatch, reads):
    said, place = READS[reads]
    data, project = tmp_path / "project/nets" / place, tmp_path / "project"
    for folder in (data.parent, project / "nets"):
        folder.mkdir(parents=True, exist_ok=True)
    said = said.replace("{folder}", str(tmp_path))
    (project / "pyproject.toml").touch()
    (project / "nets/net.py").write_text(
        "import os\nfrom pathlib import Path\nHERE, FOLDER = Path(__file__).parent, 'data'\n"
        f"def build():\n    return float(Path({said}).read_text())\n"
    )
    monkeypatch.chdir(project)
    model = Architecture(factory="nets/net.py:build")
    data.write_text("1")
    before = source_version(model)
    (data.parent / "unrelated.json").write_text("1")
    assert source_version(model) == before
    data.write_text("2")
    assert source_version(model) != before


def test_texts_that_can_be_no_names_of_files_do_no_harm(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "closed").mkdir(mode=0)
    (tmp_path / "circle").symlink_to(".")
    texts = ["一" * 110 + ".json", "closed/scale.json", "circle/circle", "..", "/", " "]
    (tmp_path / "net.py").write_text(f"TEXTS = {texts!r}\ndef build():\n    pass\n")
    assert source_version(Architecture(factory="net.py:build"))


def test_libraries_in_use_count_by_their_version(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    user, _ = project(tmp_path, "a file beside it")
    edit(tmp_path / "acts.py", "import torch\n", "import torch, timm\n")
    mini = Architecture(factory="milan_core.networks.minis.cnn:resnet_mini")
    hub = Architecture(factory="torchvision:resnet18")
    models = {"user": user, "mini": mini, "hub": hub}
    versions = {"torch": "2.0", "torchvision": "0.1", "timm": "1.0", "transformers": "4.0"}
    monkeypatch.setattr(version, "_version", lambda name: versions.get(name, "1"))

    def change(name, to):
        before = {key: source_version(model) for key, model in models.items()}
        monkeypatch.setitem(versions, name, to)
        return {key for key, model in models.items() if source_version(model) != before[key]}

    assert change("torch", "2.0+cpu") == set(), "builds of one version are the same"
    assert change("torch", "2.1") == {"user", "mini", "hub"}
    assert change("torchvision", "0.2") == {"hub"}
    assert change("timm", "1.1") == {"user"}


def test_libraries_below_an_installed_package_count(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    needs = {"collection": ["Middle_One>=1; python_version>'3'", 'transformers; extra == "x"']}
    needs |= {"middle-one": ["timm (==1.0)", "absent", "collection"], "timm": ["torchvision"]}
    versions = dict.fromkeys((*needs, "torch", "torchvision", "timm", "transformers"), "1")

    def known(name, table):
        if name not in table:
            raise version.PackageNotFoundError(name)
        return table[name]

    monkeypatch.setattr(version, "version", lambda name: known(name, versions))
    monkeypatch.setattr(version, "requires", lambda name: known(name, {**needs, "torch": None}))
    (tmp_path / "net.py").write_text("def build():\n    from collection.nets import net\n")
    for model in (
        Architecture(factory="net.py:build"),
        Architecture(factory="collection.nets:net"),
    ):
        before = source_version(model)
        for name, counts in (("timm", True), ("transformers", False), ("torchvision", False)):
            monkeypatch.setitem(versions, name, "2")
            assert (source_version(model) != before) == counts, name
            monkeypatch.setitem(versions, name, "1")


def test_a_project_may_move_and_python_may_change(tmp_path, monkeypatch):
    for place in ("here", "there"):
        project(tmp_path / place, "a relative import")
    models = [
        Architecture(factory=f"{tmp_path}/{place}/pkg/net.py:build") for place in ("here", "there")
    ]
    assert portable_source(models[0]) == portable_source(models[1])
    edit(tmp_path / "there/pkg/acts.py", "relu", "abs")
    assert portable_source(models[0]) != portable_source(models[1])


def test_no_file_of_the_project_is_run_to_find_what_it_reaches(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, _ = project(tmp_path, "a package by name")
    for path in tmp_path.rglob("*.py"):
        path.write_text(path.read_text() + "\nraise SystemExit('it was run')\n")
    code = f"from milan_core.networks.options import Architecture as A;\
from milan_core.networks.version import source_version as v; print(v(A(factory={model.factory!r})))"
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip
    assert done.stdout.strip() == source_version(model)
