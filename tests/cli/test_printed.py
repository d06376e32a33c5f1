"""Names and texts of others are printed without orders to the terminal."""

import json
import logging
import unicodedata

import pytest

from milan_core.cli import main
from milan_core.cli.printed import log_handler
from milan_core.core.errors import UserError, printable
from milan_core.core.progress import shown, told

ORDER = "\x1b]52;c;b3duZWQ=\x07\x9b2J\x08\u202e"
SHOWN = r"\u001b]52;c;b3duZWQ=\u0007\u009b2J\u0008\u202e"
"""Fills the clipboard, clears the screen, goes back, writes from the right."""


def test_every_control_character_is_shown_and_nothing_else_changes():
    everything = "".join(map(chr, range(0x3000)))
    orders = {c for c in everything if unicodedata.category(c) == "Cc"} - {"\n", "\t"}
    turns = {c for c in everything if unicodedata.bidirectional(c) in {*BIDI}}
    assert len(orders) == 63
    for character in everything:
        same = printable(character) == character
        assert same == (character not in orders | turns)
    assert printable("naïve 犬 ‏אב 👩‍🔬\tx\n") == "naïve 犬 ‏אב 👩‍🔬\tx\n"


BIDI = ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI")


def test_json_stays_json():
    value = {"a": f"{ORDER}\x7f\x00"}
    assert json.loads(printable(json.dumps(value, ensure_ascii=False))) == value


def test_tables_of_others_are_shown(tmp_path, capsys):
    (tmp_path / "d.csv").write_text(f"layer,unit,description\nconv{ORDER},0,red {ORDER} dog\n")
    assert main(["audit", str(tmp_path / "d.csv"), "--words", "red"]) == 0
    assert f"conv{SHOWN}\t0\tred {SHOWN} dog\n" in capsys.readouterr().out


def test_names_in_mistakes_are_shown(tmp_path, capsys):
    assert main(["audit", str(tmp_path / f"no{ORDER}.csv"), "--words", "red"]) == 2
    assert f"table not found: {tmp_path}/no{SHOWN}.csv\n" in capsys.readouterr().err
    error = UserError("x", f"head {ORDER}", [f"item {ORDER}"])
    assert error.lines == [f"head {SHOWN}", f"item {SHOWN}"]


@pytest.mark.parametrize("say", [told, logging.getLogger("x").warning])
def test_lines_and_warnings_are_shown(capsys, say):
    logger, handler = logging.getLogger("x"), log_handler()
    logger.addHandler(handler)
    try:
        with shown(False, lines=True):
            say(f"read {ORDER}")
    finally:
        logger.removeHandler(handler)
    assert capsys.readouterr().err == f"milan: read {SHOWN}\n"
