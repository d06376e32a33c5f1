"""Status and confidence of `milan describe`, where a judge has ranked the candidates."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milan_core.core.errors import UserError

if TYPE_CHECKING:  # all of these import torch, which `milan --help` does without
    from milan_core.describers.abstention.own import Assessed
    from milan_core.describers.describer import Describer, Resources
    from milan_core.describers.units import Units
    from milan_core.images.store import Dataset

_log = logging.getLogger(__name__)
FLAGS = ("calibrate", "calibration", "alpha")


def add_reliability(group: Any) -> None:
    """Arguments that say how units are decided."""
    group.add_argument(
        "--calibrate",
        type=Path,
        metavar="ANNOTATIONS",
        help="CSV of 60 or more units of this network: layer, unit, and right (yes or no) or text "
        "(a right description); the confidence and its threshold are fitted to them",
    )
    group.add_argument(
        "--calibration", type=Path, help="calibration.json of an earlier run, in place of ours"
    )
    group.add_argument(
        "--alpha",
        type=float,
        help="with --calibrate: share of units that may be answered wrongly; default .05",
    )


def check_reliability(arguments: argparse.Namespace, describer: Describer) -> None:
    """Refuse flags for a describer that ranks nothing, and files and values that cannot serve."""
    from milan_core.describers.abstention.calibration import load_calibration
    from milan_core.describers.abstention.tables import check_answers

    given = [name for name in FLAGS if getattr(arguments, name, None) is not None]
    if given and not hasattr(describer, "ranking"):
        raise UserError(
            f"--{given[0]} is for describers that rank candidates by a judge (--describer pool), "
            f"not {describer.Options.describer_name()!r}; leave it out"
        )
    alpha = getattr(arguments, "alpha", None)
    if alpha is not None and not 0 < alpha < 1:
        raise UserError(f"--alpha: expected a share between 0 and 1, got {alpha:g}")
    if alpha is not None and arguments.calibrate is None:
        raise UserError(
            "--alpha moves the threshold of a calibration on your own units; give them with "
            "--calibrate"
        )
    if arguments.calibrate is not None:
        check_answers(arguments.calibrate, alpha)
    if arguments.calibration is not None:
        load_calibration(arguments.calibration)


def holds_out(describer: Describer, images: Dataset) -> bool:
    """Whether images are kept from the describer to test its texts: where there are enough."""
    from milan_core.describers.abstention.own import can_hold_out

    return hasattr(describer, "ranking") and can_hold_out(images)


def assessed(
    arguments: argparse.Namespace, describer: Describer, resources: Resources, units: Units
) -> Assessed | None:
    """The decisions on the units that a describer has ranked; None where it cannot be decided.

    Raises:
        UserError: for too few images where a calibration was asked for.

    """
    from milan_core.describers.abstention.options import SHIPPED
    from milan_core.describers.abstention.own import FEWEST, Asked, assess
    from milan_core.describers.pooled import bare_images, load_named
    from milan_core.describers.sources import ExemplarUnits
    from milan_core.referee.judges.mini import Judge as MiniJudge

    if not hasattr(describer, "ranking") or not isinstance(units, ExemplarUnits):
        return None

    apart = int(units.table.heldout.sum())
    if apart < FEWEST:
        message = (
            f"{apart} images are held out to test the descriptions, expected {FEWEST} or more: "
            f"give {5 * FEWEST + FEWEST} images or more"
        )
        if arguments.calibrate is not None:
            raise UserError(f"--calibrate: {message}")
        _log.warning("no status, no confidence and no interval: %s", message)
        return None
    compute, download = resources.compute, resources.download
    judge = load_named(resources.need_judge("pool"), compute, download=download)
    calibration = arguments.calibration or SHIPPED
    if not isinstance(judge, MiniJudge) and not (arguments.calibrate or arguments.calibration):
        calibration = None
        _log.warning(
            "no status and no confidence: the shipped calibration was fitted to trained judges, "
            "and %s is not one; --calibrate fits it to units of yours",
            judge.name,
        )
    asked = Asked(
        arguments.calibrate,
        calibration,
        arguments.alpha,
        f"milan describe --calibrate {arguments.calibrate}",
    )
    return assess(describer.ranking, units.table, bare_images(units.images), judge, asked)
