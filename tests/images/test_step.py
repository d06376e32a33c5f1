"""The step that builds data sets: its flags, its record, and code of its own kind only."""

import json
from typing import get_args

import pytest

from milan_core.cli import main
from milan_core.core.files import read_json
from milan_core.core.identity import reached
from milan_core.core.options import canonical
from milan_core.core.step import Compute
from milan_core.images.kind import kind_class
from milan_core.images.kinds.shapes import Shapes, ShapesOptions
from milan_core.images.spec import DatasetSpec
from milan_core.images.step import BuildImages
from milan_core.images.store import open_dataset

SPEC = Shapes(options=ShapesOptions(count=4, main_size=(20, 30)), seed=3)


def test_what_crosses_the_shell_is_the_entry(tmp_path):
    flags = ["--dataset", "tiny", "--spec", canonical(SPEC), "--folder", str(tmp_path / "tiny")]
    assert main(["step", "images.build", *flags]) == 0
    dataset = open_dataset(tmp_path / "tiny")
    assert dataset.manifest["spec"] == {
        "kind": "shapes",
        "options": json.loads(canonical(SPEC.options)),
    }
    record = read_json(tmp_path / "tiny/provenance.json")
    assert record["fingerprint"] == dataset.fingerprint
    assert record["options"]["spec"]["options"]["main_size"] == [20, 30]
    step = BuildImages(dataset="tiny", spec=SPEC, folder=tmp_path / "again")
    assert step.run(Compute()) == {"fingerprint": dataset.fingerprint}


def test_a_misspelt_option_of_a_job_is_a_sentence(tmp_path, capsys):
    spec = canonical(SPEC).replace('"noise"', '"nosie"')
    flags = ["--dataset", "tiny", "--spec", spec, "--folder", str(tmp_path / "tiny")]
    assert main(["step", "images.build", *flags]) == 2
    assert "options.nosie: unknown key; did you mean noise" in capsys.readouterr().err


def kinds():
    return get_args(get_args(DatasetSpec)[0])


@pytest.mark.parametrize("member", kinds())
def test_a_kind_is_the_class_that_its_module_declares(member):
    name = member.model_fields["kind"].default
    assert kind_class(name) is member


def modules(kind):
    """Modules that the job of a kind can reach."""
    roots = [("milan_core.images.step", "BuildImages"), (f"milan_core.images.kinds.{kind}", "*")]
    return {
        node[0].removeprefix("milan_core.") for node in reached(roots) if isinstance(node, tuple)
    }


def test_code_of_one_kind_is_no_code_of_another():
    shapes, folder = modules("shapes"), modules("folder")
    assert {"world.scenes", "images.kinds.composed"} <= shapes
    assert not {"images.kinds.folder", "images.pictures", "images.spec"} & shapes
    assert {"images.pictures", "images.files"} <= folder
    assert not any(name.startswith(("world", "images.kinds.webdataset")) for name in folder)
