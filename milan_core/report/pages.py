"""The browsable report of a run: `index.html` and one page per network, opening from disk.

    build_report(ReportRun(networks=[...]), ReportFiles([...]), Path("results/report"))

The same files give the same bytes. Pages load nothing but their own pictures, one style sheet and
one script.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from milan_core.core.files import write_bytes, write_text
from milan_core.core.numbers import percent, signed
from milan_core.exemplars.store import load_exemplars
from milan_core.images.store import open_dataset
from milan_core.report.files import ReportFiles
from milan_core.report.network import Network, load_network, write_sheets
from milan_core.report.options import ReportRun
from milan_core.report.overview import overview
from milan_core.report.sections import load_sections

TEMPLATES = Path(__file__).parent / "templates"
ASSETS = ("style.css", "page.js")


def build_report(run: ReportRun, files: ReportFiles, out: Path | str) -> Path:
    """Write all pages and pictures of `run` into the folder `out`; returns its index.html."""
    out = Path(out)
    for name in ASSETS:
        write_bytes(out / "assets" / name, (TEMPLATES / name).read_bytes())
    networks = _networks(run, files, out)
    sections = load_sections(files.sections, files.section_files, out)
    environment = _environment()
    shared = {"run": run, "networks": networks, "sections": sections}

    def write(page: str, template: str, **values: Any) -> None:
        text = environment.get_template(template).render(page=page, **shared, **values)
        write_text(out / (page or "index.html"), text)

    for network in networks:
        write(network.page, "network.html", network=network)
    for section in sections:
        write(section.page, "section.html", section=section)
    write("", "index.html", **overview(files, networks))
    return out / "index.html"


def _networks(run: ReportRun, files: ReportFiles, out: Path) -> list[Network]:
    """The content of each network's pages, its pictures written below `out`."""
    shown = []
    for paths in files.networks:
        exemplars = load_exemplars(paths.exemplars)
        network = load_network(paths, exemplars, run.columns)
        write_sheets(network, exemplars, open_dataset(paths.dataset).images, out)
        shown.append(network)
    return shown


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
        "percent": percent,
        "signed": lambda value: signed(value).lstrip("+±"),
        "cell": lambda value: "" if math.isnan(value) else f"{value:.6g}",
        "duration": duration,
        "coded": coded,
    }
    environment.filters |= filters
    return environment


def coded(text: str) -> Any:
    """A text of a section as HTML: escaped, and what stands between backticks as code."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def duration(seconds: float) -> str:
    """Format a duration in seconds."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
