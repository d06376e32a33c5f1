"""The last line of `milan describe`."""

import pytest

from milan_core.cli.outcome import outcome
from milan_core.describers.describer import Description, Descriptions


def said(*rows):
    return Descriptions([("layer", unit) for unit in range(len(rows))], list(rows))


@pytest.mark.parametrize(
    ("rows", "counts", "expected"),
    [
        ([Description("a dog"), Description("")], None, "1 of 2 units have a description"),
        ([Description("a dog")], {"reliable": 0, "low": 1}, "0 of 1 unit have a reliable"),
        (
            [Description("", 0.1, {"grade": g}) for g in "BBC"],
            None,
            "0 of 3 units have a description; grades: 2 B, 1 C; A is described",
        ),
    ],
)
def test_counts_are_in_one_sentence(rows, counts, expected):
    assert outcome(said(*rows), counts).startswith(expected)
