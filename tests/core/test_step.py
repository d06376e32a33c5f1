"""Steps: fields, flags, the derived command, execution with a record, and mistakes."""

from pathlib import Path

import pytest

from milan_core.cli import main
from milan_core.cli.step import execute
from milan_core.core.errors import UserError
from milan_core.core.files import read_json
from milan_core.core.options import Section
from milan_core.core.step import Compute, In, Out, Step, all_steps, command, find_step, step_fields


class Options(Section):
    """Options of the step below."""

    count: int = 1


class Copy(Step, name="toy.copy"):
    """Copy files."""

    sources: list[In]
    extra: In | None = None
    options: Options = Options()
    label: str = ""
    target: Out

    def run(self, compute: Compute) -> dict[str, int]:
        """Write the sources one after the other."""
        self.target.write_text("".join(path.read_text() for path in self.sources))
        return {"copied": len(self.sources)}


def test_fields_have_roles():
    facts = {f.name: (f.role, f.many, f.required) for f in step_fields(Copy)}
    assert facts == {
        "sources": ("input", True, True),
        "extra": ("input", False, False),
        "options": ("option", False, False),
        "label": ("option", False, False),
        "target": ("output", False, True),
        "record": ("output", False, False),
    }


def test_a_step_runs_from_python_and_its_record_says_what_it_did(tmp_path):
    (tmp_path / "a").write_text("1")
    step = Copy(sources=[tmp_path / "a"], target=tmp_path / "out" / "b", label="x")
    step.target.parent.mkdir()
    execute(step, Compute(), code="abc")
    assert step.target.read_text() == "1"
    record = read_json(tmp_path / "out" / "provenance.json")
    assert (record["step"], record["code"], record["copied"]) == ("toy.copy", "abc", 1)
    assert record["options"] == {"options": {"count": 1}, "label": "x"}
    assert list(record["inputs"]) == [str(tmp_path / "a")]


def test_unknown_fields_are_refused(tmp_path):
    with pytest.raises(ValueError, match="sauces"):
        Copy(sauces=[tmp_path], target=tmp_path)


def test_every_step_is_named_after_its_folder_and_says_what_it_does():
    for name, step in all_steps().items():
        assert step.__module__.split(".")[-2] == name.split(".")[0]
        assert len(step.__doc__ or "") > 20
        assert step.run is not Step.run


def test_the_command_names_every_field_quoted():
    text = command("edit.table")
    assert text.startswith("milan --log {log:q} step edit.table --results {input.results:q}")
    assert "--section {output.section:q}" in text
    assert text.endswith("--threads {threads} --code {params.code:q}")
    assert "--device {resources.device:q}" in command("edit.network")


def test_names_of_steps_have_a_nearest_one():
    with pytest.raises(UserError, match=r"did you mean 'edit.network'"):
        find_step("edit.netwrok")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ('{"stepps": [0]}', "--options: stepps: unknown key; did you mean steps"),
        ('{"choose_on": "validaton"}', "did you mean validation?"),
        ("{", "invalid JSON"),
        ('{"batch": 1, "batch": 2}', "--options: the key 'batch' occurs twice in one object"),
    ],
)
def test_options_are_refused_in_one_line(options, sentence, capsys, tmp_path):
    paths = ("descriptions", "exemplars", "datasets", "result", "curves", "units")
    flags = [part for name in paths for part in (f"--{name}", str(tmp_path / name))]
    trial = (
        '{"model":"m","ranking":"r","validation":{"clean":"c","adversarial":"a"},'
        '"test":{"clean":"c","correct":"d","adversarial":"a"}}'
    )
    given = ["--model", '{"factory": "a:b"}', "--trial", trial, "--query", '{"words": ["a"]}']
    assert main(["step", "edit.network", *flags, "--options", options, *given]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert sentence in error


def test_steps_are_listed(capsys):
    assert main(["step"]) == 0
    assert "edit.network" in capsys.readouterr().out


def test_declarations_import_nothing_heavy():
    import subprocess
    import sys

    code = (
        "import sys; from milan_core.core.step import all_steps; all_steps();"
        "heavy = {'torch', 'transformers', 'spacy', 'matplotlib', 'skimage', 'scipy'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
