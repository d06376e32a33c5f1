"""Progress is drawn where somebody looks, one line at a time, and changes nothing."""

import sys

import pytest

from milan_core import cli
from milan_core.cli import main
from milan_core.cli.parsers import commands
from milan_core.core import progress
from milan_core.core.progress import bar, is_shown, shown, told, tracked


@pytest.fixture
def drawn(monkeypatch, capsys):
    """What is drawn, without a delay: call it once."""
    monkeypatch.setattr(progress, "DELAY", 0)
    monkeypatch.setattr(progress, "INTERVAL", 0)
    return lambda: capsys.readouterr().err


def test_nothing_is_drawn_unless_asked(drawn):
    assert list(tracked([1, 2], "mining", "image")) == [1, 2]
    with shown(True), shown(False):
        assert list(tracked([1, 2], "mining", "image")) == [1, 2]
    assert drawn() == ""


def test_count_total_and_rate_are_drawn(drawn):
    with shown(True):
        assert list(tracked(iter(["ab", "c"]), "mining", "image", total=3, size=len)) == ["ab", "c"]
    assert not is_shown()
    line = drawn()
    assert "mining" in line
    assert "2/3" in line
    assert "image/s" in line


def test_lines_are_told_where_they_are_asked_for(drawn):
    told("start")
    with shown(False, lines=True):
        told("middle")
        with shown(True):
            told("inside")
    told("end")
    assert drawn() == "milan: middle\n"


def test_an_inner_loop_is_silent_and_an_error_ends_the_line(drawn):
    def work():
        for _ in tracked([1, 2], "outer", "layer"):
            list(tracked(range(3), "inner", "unit"))
            raise ValueError("stop")

    with shown(True), pytest.raises(ValueError, match="stop"):
        work()
    line = drawn()
    assert "outer" in line
    assert "inner" not in line
    with shown(True), bar("later", "unit", 2) as one:
        one.update()
    assert "later" in drawn()


@pytest.mark.parametrize(
    ("words", "terminal", "expected"),
    [
        (["doctor"], True, True),
        (["doctor"], False, False),
        (["--quiet", "doctor"], True, False),
        (["doctor", "--quiet"], True, False),
    ],
)
def test_commands_draw_on_a_terminal_unless_quiet(monkeypatch, words, terminal, expected):
    seen = []
    monkeypatch.setattr(cli, "_check_given", lambda _: seen.append(is_shown()))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    main(words)
    assert seen == [expected]


def test_every_command_takes_quiet():
    without = [
        path
        for path, parser in commands(cli.build_parser())
        if "--quiet" not in parser._option_string_actions
    ]
    assert not without
