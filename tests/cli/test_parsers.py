"""A mistake on the command line is one line, and what is unknown comes before what is missing."""

from __future__ import annotations

import argparse

import pytest

from milan_core.cli import COMMANDS, build_parser, main
from milan_core.cli.parsers import Parser, commands, default_shown

MISTAKES = {
    "describe --modle x": "milan describe: error: unknown option --modle; did you mean --model? "
    "(milan describe --help)",
    "describe --model x --sise=64": "milan describe: error: unknown option --sise; did you mean "
    "--size? (milan describe --help)",
    "score --descriptions a.csv --zzz": "milan score: error: unknown option --zzz "
    "(milan score --help)",
    "describe --mean -1.5 -2 --xyzw": "milan describe: error: unknown option --xyzw "
    "(milan describe --help)",
    "--log file --quite describe": "milan: error: unknown option --quite; did you mean --quiet? "
    "(milan --help)",
    "verfy": "milan: error: unknown command verfy; did you mean verify? (milan --help lists them)",
    "mine exprot": "milan mine: error: unknown command exprot; did you mean export? "
    "(milan mine --help lists them)",
    "mine --layers a b --modle x export": "milan mine: error: unknown option --modle; did you mean "
    "--model? (milan mine --help)",
    "describe --model x": "milan describe: error: the following arguments are required: --out "
    "(milan describe --help)",
    "describe --model a b --out c": "milan describe: error: unexpected argument 'b' "
    "(milan describe --help)",
    "networks inspect --factory a --size b": "milan networks inspect: error: argument --size: "
    "invalid int value: 'b' (milan networks inspect --help)",
    "step edit.table --thraeds 2": "milan step edit.table: error: unknown option --thraeds; "
    "did you mean --threads? (milan step edit.table --help)",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_one_line_with_the_nearest_name(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert printed.err == f"{MISTAKES[words]}\n"
    assert printed.out == ""


@pytest.mark.parametrize("words", ["describe --help", "describe --modle x -h", "--version"])
def test_help_and_version_are_no_mistakes(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(("usage: milan describe", "milan "))


def test_every_option_has_a_help_that_says_its_default():
    """Also in the reference of commands, which asks the same formatter."""
    names = [name for name in COMMANDS if name != "step"]
    seen = {}
    for path, parser in commands(build_parser(names)):
        for action in parser._actions:
            if action.option_strings and not isinstance(action, argparse._HelpAction):
                assert action.help, (path, action.option_strings)
                text = parser._get_formatter()._expand_help(action)
                seen[(*path, action.option_strings[-1])] = text
                if shown := default_shown(action):
                    assert "default" in text or shown in text, (path, action.option_strings)
    assert seen["describe", "--k"] == "exemplars a unit (default: 15)"
    assert seen["describe", "--quantile"].endswith("its masks (default: 0.99)")
    assert seen["zoo", "labels", "--seeds"] == "of the scenes (default: 100 101 102 103 104)"
    assert seen["describe", "--describer"].count("default") == 1
    assert "default" not in seen["describe", "--options"]


def test_a_command_of_one_layer_has_no_patterns_of_layers(capsys):
    words = "networks dictionary --model a --layers b --dataset c --out d"
    with pytest.raises(SystemExit):
        main(words.split())
    assert "unknown option --layers; did you mean --layer?" in capsys.readouterr().err


def test_steps_are_listed_where_help_is_asked_for(capsys):
    assert main(["step", "--help"]) == 0
    assert "captioner.train " in capsys.readouterr().out


def test_short_forms_and_values_of_options_are_known(capsys):
    """Beginnings of options, values behind `=`, negative numbers, and words of a command."""
    words = "score --descrip a.csv --column=x --range 0 -1 --quiet"
    with pytest.raises(SystemExit):
        main(words.split())
    assert "unknown option --range" in capsys.readouterr().err
    words = "score --descrip none.csv --column=x --alpha -1 --quiet"
    assert main(words.split()) == 2
    assert "milan score: give --model (or --table)" in capsys.readouterr().err


def test_the_home_folder_behind_an_option(tmp_path, monkeypatch, capsys):
    """A shell does not expand --out=~/x, nor the home of a user whom it does not know."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert main(["config", "schema", "--out=~/schema.yaml"]) == 0
    assert (tmp_path / "home/schema.yaml").is_file()
    with pytest.raises(SystemExit):
        main(["mine", "--images", "~nobody-here/pictures"])
    assert "no home folder for '~nobody-here/pictures'" in capsys.readouterr().err
    (tmp_path / "~nobody-here").mkdir()
    assert main(["verify", "~nobody-here"]) == 1
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["~nobody-here"]


def test_a_percent_sign_in_a_default_is_shown():
    parser = Parser()
    parser.add_argument("--share", default="50%", help="of 100%% of the images")
    assert "of 100% of the images (default: 50%)" in parser.format_help()
