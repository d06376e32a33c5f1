"""The script for the first run on a GPU runs to its end without one."""

import json

import pytest

from benchmarks import first_contact

SLOW = ("check_real_sizes", "time_forward")  # 5 and 10 s


@pytest.mark.slow
def test_a_dry_run_of_the_longer_steps():
    for step in first_contact.STEPS:
        if step.__name__ in SLOW:
            assert first_contact.is_right(step("cpu", True))


def test_a_dry_run(tmp_path, monkeypatch, capsys):
    lines = tmp_path / "lines.jsonl"
    chosen = [step.__name__ for step in first_contact.STEPS if step.__name__ not in SLOW]
    arguments = ["--device", "cpu", "--small", "--out", str(lines), "--only", *chosen]
    monkeypatch.setattr("sys.argv", ["first_contact", *arguments])
    assert first_contact.main() == 0
    written = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [line["step"] for line in written] == ["facts", *chosen]
    assert all(line["right"] for line in written)
    assert capsys.readouterr().out == lines.read_text()


@pytest.mark.parametrize(
    ("result", "right"),
    [
        ("skipped", True),
        ({"wrong": []}, True),
        ({"wrong": [1]}, False),
        ({"equal": False}, False),
        ({"nchw": {"zeros": True, "levels": False}}, False),
    ],
)
def test_what_counts_as_right(result, right):
    assert first_contact.is_right(result) == right


def test_a_step_that_raises_costs_itself_only():
    line = first_contact.run("broken", lambda: 1 / 0)
    assert not line["right"]
    assert "ZeroDivisionError" in line["result"]
