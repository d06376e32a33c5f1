"""Pages that are generated hold every command and key; the staged site holds what it shows."""

import argparse
import sys

from paths import ROOT

from milan_core.cli import COMMANDS, build_parser
from milan_core.config import schema

sys.path.insert(0, str(ROOT / "docs/site"))

import build_site
from command_pages import commands_page
from key_pages import keys_page


def parsers(parser):
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from parsers(child)


def test_every_command_and_option_is_listed():
    page = commands_page()
    sections = dict(part.split("\n", 1) for part in page.split("\n## ")[1:])
    missing = []
    for parser in parsers(build_parser([name for name in COMMANDS if name != "step"])):
        if parser.prog == "milan":
            continue
        options = {
            name
            for action in parser._actions
            if action.dest != "help"
            for name in action.option_strings
        }
        section = sections.get(parser.prog, "")
        missing += [f"{parser.prog} {name}" for name in options if f"`{name}`" not in section]
    assert not missing


def test_every_key_is_listed():
    page = keys_page()
    whole = schema()
    sections = dict(part.split("\n", 1) for part in page.split("\n## ")[1:])
    classes = {"Top-level keys": whole, **whole["$defs"]}
    missing = [
        f"{name}.{key}"
        for name, content in classes.items()
        for key in content.get("properties", {})
        if f"| `{key}` |" not in sections.get(name, "")
    ]
    assert not missing


def test_tables_are_not_broken_by_what_they_hold():
    for page in (commands_page(), keys_page()):
        widths = set()
        for line in page.splitlines():
            bars = line.replace("\\|", "").count("|")
            if not line.startswith("|"):
                widths = set()
                continue
            widths.add(bars)
            assert len(widths) == 1, line


def test_the_pages_are_staged(tmp_path):
    build_site.stage(tmp_path / "pages")
    for pages in build_site.navigation().values():
        for _, page in pages:
            assert (tmp_path / "pages" / page).read_text("utf-8").startswith("#"), page
    assert (tmp_path / "pages/docs/images/atlas-unit.webp").is_file()
