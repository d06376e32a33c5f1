"""The captioner that is at hand where none is named, and the judge that its run has trained."""

from __future__ import annotations

from pathlib import Path

from milan_core.core.errors import UserError
from milan_core.images.fetch.catalog import find_entry
from milan_core.referee.judges.mini import RECORD

TRAINED = Path("results/captioners/all")
RESOURCES = Path("resources")
AUTO = "auto"


def released_folder() -> Path:
    """The folder where `milan fetch milan_base` puts the published captioners."""
    return RESOURCES / find_entry("milan_base").place.parent


def find_captioner(choice: str) -> Path:
    """The captioner of `--captioner`.

    `auto` takes published weights that were placed here (milan-base first, a converted folder
    before a .pth file), else the captioner that a run trained here.
    """
    if choice != AUTO:
        return Path(choice)
    released = released_folder()
    folders = [path.parent for path in released.glob("milan-*/config.json")]
    for places in (folders, list(released.glob("milan-*.pth"))):
        if places:
            return min(places, key=lambda path: (path.stem != "milan-base", path.name))
    trained = sorted(TRAINED.glob("seed*/config.json"))
    if trained:
        return trained[0].parent
    message = (
        f"no captioner here: neither {released}/milan-*.pth nor {TRAINED}/seed*; `milan fetch "
        "milan_base` brings published weights, `make run` in this folder trains one, or give "
        "--captioner PATH"
    )
    raise UserError(message)


def is_published(path: Path) -> bool:
    """Whether a captioner that `auto` found is a published one."""
    return released_folder() in path.parents


def judge_beside(captioner: Path) -> Path | None:
    """The judge that the run of a captioner (`<results>/captioners/<split>/seed0`) has trained."""
    place = captioner.absolute()
    if not place.is_dir() or place.parent.parent.name != "captioners":
        return None
    judge = place.parents[2] / "judge"
    return judge if (judge / RECORD).is_file() else None
