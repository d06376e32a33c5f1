"""The browsable report of a run: `index.html` and one page per network, opening from disk.

    build_report(collect_run(settings), Path("results/report"))

The same files give the same bytes. Pages load nothing but their own pictures, one style sheet and
one script; see `report.run` for the dictionary that describes a run.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from milan_core.core.files import write_bytes, write_text
from milan_core.exemplars.store import load_exemplars
from milan_core.images.store import open_dataset
from milan_core.report import overview, wording
from milan_core.report.network import load_network, write_sheets
from milan_core.report.results import METHOD_NAMES
from milan_core.report.sections import load_sections
from milan_core.report.sheets import COLUMNS

TEMPLATES = Path(__file__).parent / "templates"
ASSETS = ("style.css", "page.js")


def build_report(run: Mapping[str, Any], out: Path | str) -> Path:
    """Write all pages and pictures of `run` into the folder `out`; returns its index.html."""
    out = Path(out)
    for name in ASSETS:
        write_bytes(out / "assets" / name, (TEMPLATES / name).read_bytes())
    shown = []
    for name, paths in run["models"].items():
        exemplars = load_exemplars(paths["exemplars"])
        network = load_network(name, paths, exemplars, run.get("columns", COLUMNS))
        write_sheets(network, exemplars, open_dataset(paths["dataset"]).images, out)
        shown.append(network)
    environment = _environment()
    sections = load_sections(run.get("sections", []), out)
    shared = {"run": run, "networks": shown, "sections": sections, "names": METHOD_NAMES}
    for network in shown:
        page = environment.get_template("network.html")
        text = page.render(**shared, network=network, page=network.page)
        write_text(out / network.page, text)
    for section in sections:
        page = environment.get_template("section.html")
        write_text(out / section.page, page.render(**shared, section=section, page=section.page))
    text = environment.get_template("index.html").render(
        **shared, page="", **overview.overview(run, shown)
    )
    write_text(out / "index.html", text)
    return out / "index.html"


def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "percent": wording.percent,
        "signed": lambda value: wording.signed(value).lstrip("+±"),
        "plain": wording.plainly,
        "cell": lambda value: "" if math.isnan(value) else f"{value:.6g}",
        "interval": _interval,
        "duration": duration,
        "coded": coded,
    }
    environment.filters |= filters
    return environment


def coded(text: str) -> Any:
    """A text of a section as HTML: escaped, and what stands between backticks as code."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _interval(figure: Any, share: bool = False) -> str:
    """An interval in brackets, of a `Figure` or of a row with low and high."""
    row = figure if isinstance(figure, Mapping) else vars(figure)
    low, high = row["low"], row["high"]
    if math.isnan(low):
        return ""
    return f"[{100 * low:.0f}–{100 * high:.0f}]" if share else f"[{low:.2f}–{high:.2f}]"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
