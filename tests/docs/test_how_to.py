"""Commands and configurations on the pages are understood as they stand."""

import re
import shlex

import pytest
import yaml
from paths import ROOT

from milan_core.cli import build_parser
from milan_core.cli.config import load, merge
from milan_core.plan.checks import parse_config

from .markdown import commands

PAGES = sorted([*(ROOT / "docs").glob("how-to/*.md"), ROOT / "docs/start.md"])
OWN = ROOT / "docs/how-to/swap-models.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_is_understood(page):
    parser = build_parser()
    for line in commands(page):
        words = shlex.split(line, comments=True)
        if words[:1] == ["milan"]:
            parser.parse_args(words[1:])
        if words[:1] == ["snakemake"] and "--configfile" in words:
            after = words[words.index("--configfile") + 1 :]
            assert all(word.endswith(".yaml") for word in after), "targets come first"
            assert all((ROOT / word).is_file() for word in after if "/" in word)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_named_files_of_the_repository_are_there(page):
    named = re.findall(r"`((?:config|profiles)/[\w./]+)`", page.read_text("utf-8"))
    assert all((ROOT / name).exists() for name in named)


def test_the_configuration_in_full_is_right():
    (block,) = re.findall(r"```yaml\n(.*?)```", OWN.read_text("utf-8"), re.DOTALL)
    merged = merge(load([ROOT / "config/config.yaml"]), yaml.safe_load(block))
    config = parse_config(merged)
    assert config.models == ["my_network"]
    assert config.model_zoo["my_network"].layers == ["layer3", "layer4"]
