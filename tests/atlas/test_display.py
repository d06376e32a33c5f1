"""Cards of notebooks say of a unit without a reliable description what the page says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from milan_core.atlas import display


def shown(**more: Any) -> Any:
    facts: dict[str, Any] = {
        "network": "n",
        "layer": "l",
        "unit": 0,
        "description": "",
        "texts": {},
    }
    facts |= {"status": "", "correlation": None, "confidence": None, "concept": "", "scores": {}}
    facts |= {"tendency": "", "picture": lambda *_: b""}
    return SimpleNamespace(**{**facts, **more})


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"description": "dogs"}, ">dogs<"),
        ({"description": "dogs", "status": "described"}, ">dogs<"),
        (
            {"description": "dogs", "status": "unreliable"},
            ">no reliable description · best guess: dogs<",
        ),
        ({"status": "unreliable", "tendency": "weakly: dogs"}, ">weakly: dogs<"),
        ({"status": "dead"}, ">never active: 0 on every image<"),
        ({}, ">no reliable description<"),
    ],
)
def test_a_guess_is_called_one(facts: dict[str, Any], text: str) -> None:
    one = shown(**facts)
    assert text in display.unit(one, {})
    units: Any = type("Some", (list,), {"heading": "h"})([one])
    assert text in display.grid(units)
