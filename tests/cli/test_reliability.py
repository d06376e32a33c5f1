"""Flags of status and confidence: refused where they cannot be meant."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from milan_core.cli.reliability import add_reliability, assessed, check_reliability, holds_out
from milan_core.core.errors import UserError
from milan_core.describers.abstention.options import SHIPPED
from milan_core.describers.describer import Resources
from milan_core.describers.sources import ExemplarUnits
from milan_core.exemplars.table import ActivationTable


class Ranks:
    """A describer with a ranking."""

    ranking: dict = {}  # noqa: RUF012


class Plain:
    """A describer without one."""

    Options = SimpleNamespace(describer_name=lambda: "milan")


def parsed(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_reliability(parser)
    return parser.parse_args(flags)


@pytest.mark.parametrize(
    ("flags", "describer", "expected"),
    [
        (["--calibrate", "a.csv"], Plain(), "--calibrate is for describers that rank .* 'milan'"),
        (["--calibration", "c.json"], Plain(), "--calibration is for describers that rank"),
        (["--alpha", "0.1"], Ranks(), "give them with --calibrate"),
        (["--calibrate", "a.csv", "--alpha", "5"], Ranks(), "between 0 and 1, got 5"),
    ],
)
def test_flags_that_cannot_be_meant(flags: list[str], describer: object, expected: str) -> None:
    """Each ends in a sentence."""
    with pytest.raises(UserError, match=expected):
        check_reliability(parsed(*flags), describer)  # type: ignore[arg-type]


def answered(path: Path, right: int, wrong: int) -> Path:
    rows = [f"a,{unit},{'yes' if unit < right else 'no'}" for unit in range(right + wrong)]
    path.write_text("layer,unit,right\n" + "\n".join(rows) + "\n")
    return path


def test_flags_that_can(tmp_path: Path) -> None:
    """None at all, and all of them."""
    check_reliability(parsed(), Plain())  # type: ignore[arg-type]
    mine = answered(tmp_path / "a.csv", 50, 10)
    flags = ("--calibrate", str(mine), "--calibration", str(SHIPPED), "--alpha", "0.1")
    check_reliability(parsed(*flags), Ranks())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [(50, 9, "59 annotated units"), (60, 1, "60 right and 1 wrong"), (0, 70, "0 right and 70")],
)
def test_annotations_are_checked_before_the_work(
    tmp_path: Path, right: int, wrong: int, expected: str
) -> None:
    """Too few, and one-sided ones."""
    mine = answered(tmp_path / "a.csv", right, wrong)
    with pytest.raises(UserError, match=expected):
        check_reliability(parsed("--calibrate", str(mine)), Ranks())  # type: ignore[arg-type]


def test_a_bound_is_checked_before_the_work(tmp_path: Path) -> None:
    """60 units cannot keep an alpha of .01."""
    flags = ("--calibrate", str(answered(tmp_path / "a.csv", 50, 10)), "--alpha", "0.01")
    with pytest.raises(UserError, match=r"expected 99 or more for an alpha of 0\.01"):
        check_reliability(parsed(*flags), Ranks())  # type: ignore[arg-type]


class Mined(ExemplarUnits):
    """Units of 300 images, 60 of them held out."""

    def __init__(self) -> None:
        """Nothing is mined."""

    @property
    def table(self) -> ActivationTable:
        """The held-out images alone."""
        return cast(ActivationTable, SimpleNamespace(heldout=np.arange(300) < 60))


def test_too_few_images(caplog: pytest.LogCaptureFixture) -> None:
    """Without a status the table says nothing; a calibration that was asked for is refused."""
    given = (Ranks(), Resources(), Mined())
    assert assessed(parsed(), *given) is None  # type: ignore[arg-type]
    assert "60 images are held out" in caplog.text
    with pytest.raises(UserError, match=r"--calibrate: 60 images are held out.*600 images or more"):
        assessed(parsed("--calibrate", "a.csv"), *given)  # type: ignore[arg-type]


def test_images_are_held_out_where_there_are_enough() -> None:
    """A fifth, for describers that rank, and never of a small folder."""

    class Images:
        fingerprint = "f"

        def __init__(self, count: int) -> None:
            self.count = count

        def __len__(self) -> int:
            return self.count

    assert holds_out(Ranks(), Images(1000))  # type: ignore[arg-type]
    assert not holds_out(Ranks(), Images(300))  # type: ignore[arg-type]
    assert not holds_out(Plain(), Images(1000))  # type: ignore[arg-type]


def test_other_describers_have_no_status() -> None:
    """Nothing was ranked."""
    assert assessed(parsed(), Plain(), Resources(), Mined()) is None  # type: ignore[arg-type]
