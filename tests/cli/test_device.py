"""`device: cuda` where there is no GPU: one sentence and exit code 2, from every command."""

import argparse
from types import SimpleNamespace

import pytest
import torch

from milan_core.cli import build_parser, main
from milan_core.core.errors import UserError

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
SENTENCE = "device cuda was asked for, but torch finds no CUDA device; use device: cpu, or run on"


def verbs(parser):
    """Every command that takes --device, with its name."""
    nested = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    found = [("", parser)] if any("--device" in a.option_strings for a in parser._actions) else []
    for action in nested:
        for name, part in action.choices.items():
            found += [(f"{name} {rest}".strip(), own) for rest, own in verbs(part)]
    return found


COMMANDS = dict(verbs(build_parser()))


def test_every_command_that_runs_networks_is_here():
    assert {"describe", "mine", "networks inspect", "networks dictionary"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_it_is_refused_before_anything_is_read(name):
    with pytest.raises(UserError, match=SENTENCE):
        COMMANDS[name].get_default("run")(SimpleNamespace(device="cuda", threads=1))


def test_the_user_sees_one_line_and_exit_code_2(tmp_path, capfd):
    arguments = ["--model", "a:b", "--images", "d", "--device", "cuda"]
    assert main(["mine", *arguments, "--out", str(tmp_path / "x")]) == 2
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert shown.err.startswith(f"milan: error: {SENTENCE}")
    assert not list(tmp_path.iterdir())
