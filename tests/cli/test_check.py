"""`milan check` reads a configuration as a run does; people's commands come first in the help."""

import shutil
from pathlib import Path

import pytest
import yaml

from milan_core.captioner.plan import captioner_settings
from milan_core.cli import build_parser, main
from milan_core.cli.check import merged_files
from milan_core.cli.config import load
from milan_core.describers.plan import pool_options
from milan_core.plan.checks import parse_config
from milan_core.plan.splits import splits


@pytest.fixture
def checkout(root, tmp_path, monkeypatch):
    """A folder with the workflow's configurations."""
    shutil.copytree(root / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MILAN_OFFLINE", raising=False)
    return tmp_path


def test_a_sound_configuration(checkout, capsys):
    assert main(["check", "config/quick.yaml"]) == 0
    line = capsys.readouterr().out
    assert line.startswith("ok: config/config.yaml + config/quick.yaml: ")
    assert main(["check", "--alone", "config/quick.yaml"]) == 0
    assert capsys.readouterr().out.startswith("ok: config/quick.yaml: ")
    assert main(["check"]) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"captioner": {"splits": {"withn": {"hidden": 7}}}}, "did you mean 'within'"),
        ({"generalization": {"more_seeds": {"al": [1]}}}, "did you mean 'all'"),
        ({"annotation_sets": {"mine": {"path": "x"}}, "corpus": ["mine"]}, "x (annotation_sets.m"),
        ({"exemplars": {"quantil": 0.9}}, "did you mean quantile"),
    ],
)
def test_what_a_run_refuses_is_refused(checkout, capsys, change, words):
    (checkout / "my.yaml").write_text(yaml.safe_dump(change))
    assert main(["check", "my.yaml"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("milan: error: ")
    assert error.count("\n") == 1
    assert words in error


def test_without_the_workflows_own_file_the_error_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.yaml").write_text("models: [my_net]")
    assert main(["check", "my.yaml"]) == 2
    error = capsys.readouterr().err
    assert "corpus: field required" in error
    assert "config/config.yaml is not in this folder" in error
    assert main(["check", "--alone", "my.yaml"]) == 2
    assert "is not in this folder" not in capsys.readouterr().err


def test_files_that_cannot_be_read(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 2
    assert "no configuration: config/config.yaml is not here" in capsys.readouterr().err
    assert main(["check", "gone.yaml"]) == 2
    assert "cannot read gone.yaml" in capsys.readouterr().err
    (tmp_path / "odd.yaml").write_text("a: [")
    assert main(["check", "odd.yaml"]) == 2
    assert "odd.yaml is not valid YAML" in capsys.readouterr().err


def test_show_spells_out_defaults(checkout, capsys):
    assert main(["config", "show", "config/quick.yaml"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["exemplars"]["quantile"] == 0.99
    assert shown["model_zoo"]["shapes_resnet"]["batch_size"]


CHANGES = {
    "seed": 3,
    "captioner": {"hidden": 24, "splits": {"within": {"dropout": 0.25}}},
    "describe": {"beam_size": 7},
}


@pytest.mark.parametrize("name", ["config", "quick", "paper", "zoo", "seeds"])
def test_what_is_shown_can_be_read_again(checkout, capsys, name):
    (checkout / "my.yaml").write_text(yaml.safe_dump(CHANGES))
    files = [checkout / "config/config.yaml", checkout / f"config/{name}.yaml"]
    asked = parse_config(load([*files, checkout / "my.yaml"]))
    assert main(["config", "show", *map(str, files), "my.yaml"]) == 0
    (checkout / "all.yaml").write_text(capsys.readouterr().out)
    for read in ([checkout / "all.yaml"], [*files, checkout / "all.yaml"]):
        again = parse_config(load(read))
        assert again.model_dump(exclude={"captioner"}) == asked.model_dump(exclude={"captioner"})
        assert pool_options(again) == pool_options(asked)
        for split in splits(asked):
            assert captioner_settings(again, split) == captioner_settings(asked, split)


def test_files_count_in_their_order_as_snakemake_reads_them(checkout, capsys):
    (checkout / "my.yaml").write_text("seed: 3\n")
    for words, seed in ((["my.yaml"], 3), (["my.yaml", "config/config.yaml"], 0)):
        files = merged_files([Path(word) for word in words], alone=False)
        assert load(files)["seed"] == seed
    assert merged_files([Path("config/config.yaml")], alone=False) == [Path("config/config.yaml")]


def test_commands_for_people_come_first():
    shown = build_parser().format_help()
    names = ["describe", "check", "doctor", "verify", "audit", "bench", "crowd", "step"]
    places = [shown.index(f"\n    {name} ") for name in names]
    assert places == sorted(places)


def test_a_key_that_stands_twice_is_refused(tmp_path, capsys):
    (tmp_path / "c.yaml").write_text("exemplars: {k: 5}\nseed: 1\nexemplars: {k: 6}\n")
    assert main(["check", str(tmp_path / "c.yaml")]) == 2
    assert "line 3: key 'exemplars' stands in line 1 already" in capsys.readouterr().err
