"""The report's section on abstention: which units have a reliable description, and how we know."""

from __future__ import annotations

from collections.abc import Sequence

from milan_core.core.numbers import DASH, counted, number, percent
from milan_core.core.section import Column, Section, Table
from milan_core.core.tables import Row
from milan_core.describers.abstention.calibration import Calibration
from milan_core.describers.abstention.evaluation import EVERY
from milan_core.describers.abstention.reliability import COVERAGES
from milan_core.scoring.verdicts import FEWEST, part_of

SUMMARY_COLUMNS = (
    Column("model", "network"),
    Column("units", "units", "integer"),
    Column("described", "described", "integer"),
    Column("several", "several texts", "integer"),
    Column("unreliable", "no reliable description", "integer"),
    Column("silent", "show nothing", "integer"),
    Column("judged", "judged", "integer"),
    Column("right_all", "right", "percent"),
    Column("coverage", "answered", "percent"),
    Column("right_answered", "right among answered", "percent"),
    Column("wrong", "answered and wrong", "percent"),
    Column("auroc", "AUC", "number", 2),
    Column("ece", "calibration error", "number", 3),
    Column("shuffled", "shuffled, answered", "percent"),
)
SUMMARY_CAPTION = (
    "Each network is decided by a calibration on the annotated other networks that are tested on "
    "the same images, or on all others where there are none. Judged: units whose "
    "concept is known and specific; shares to the right are of these. Answered and wrong: what the "
    "threshold bounds. AUC: of the confidence, right against wrong. Shuffled: units that would "
    "be answered if the images of every unit were shuffled."
)
CURVE_CAPTION = "Share right among the most confident judged units, at each share of them."


def abstention_section(rows: Sequence[Row], calibration: Calibration, random: str) -> Section:
    """The section; summary.csv and coverage.csv lie beside it.

    Args:
        rows: of summary.csv, all networks together first.
        calibration: on all annotated networks.
        random: the network with random weights; empty where there is none.

    """
    curve = [Column("model", "network")]
    curve += [Column(f"at_{100 * share:.0f}", percent(share), "percent") for share in COVERAGES]
    return Section(
        name="abstention",
        title="Which descriptions are reliable?",
        order=6,
        paragraphs=[
            _all(next(row for row in rows if row["model"] == EVERY)),
            _rule(calibration),
            *(_random(row) for row in rows if row["model"] == random),
        ],
        items=[
            Table("summary.csv", SUMMARY_CAPTION, SUMMARY_COLUMNS),
            Table("coverage.csv", CURVE_CAPTION, curve),
        ],
    )


def _all(row: Row) -> str:
    answered, judged = int(row["described"]) + int(row["several"]), int(row["judged"])
    number_of_all = f" {counted(judged, 'unit')}" if 0 < judged < FEWEST else ""
    return (
        f"Of {row['units']} units of annotated networks {answered} have a reliable description, "
        f"{row['several']} of them several texts, {row['unreliable']} have none, and "
        f"{row['silent']} show nothing to describe. Where the concept is known and specific, "
        f"{_right(row)} of the answered units are right, "
        f"{part_of(number(row['right_all']), judged)} of all{number_of_all}."
    )


def _right(row: Row) -> str:
    """The share of the answered units with a known concept whose description is right."""
    answered = round(int(row["judged"]) * number(row["coverage"])) if int(row["judged"]) else 0
    text = part_of(number(row["right_answered"]), answered)
    return f"{text} of {answered}" if 0 < answered < FEWEST else text


def _rule(calibration: Calibration) -> str:
    return (
        "A unit is answered where its text fits it better than texts of other concepts do (null "
        "test), and where its confidence reaches a threshold. The threshold keeps the expected "
        f"share of units that are answered wrongly at {percent(calibration.alpha)} or below, if "
        "the units are exchangeable with those that calibrated it. Other networks are not, "
        "strictly: the column answered and wrong says how far the bound holds. With 60 annotated "
        "units of a network, `milan describe --calibrate` makes it hold for that network."
    )


def _random(row: Row) -> str:
    answered = int(row["described"]) + int(row["several"])
    right = _right(row)
    known = "" if right == DASH else f", {right} of those with a known concept rightly"
    return (
        f"The network with random weights, {row['model']}: {answered} of {row['units']} units are "
        f"answered{known}. A random unit can follow a color or a texture; that a description is "
        "reliable does not say that the network has learned the concept."
    )
