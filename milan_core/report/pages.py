"""The experiments of a run as pages: `index.html` and one for each, opening from disk.

    build_report(ReportRun(), ReportFiles([Path("results/edit/section.json")]), Path("report"))

The same files give the same bytes. Pages load nothing but one style sheet. The units of networks
stand in the atlas (`milan_core.atlas`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milan_core.core.files import write_bytes, write_text
from milan_core.images.fetch.asset_record import read_asset
from milan_core.report.options import ReportRun
from milan_core.report.overview import run_facts
from milan_core.report.sections import load_sections

TEMPLATES = Path(__file__).parent / "templates"
STYLE = "style.css"


@dataclass(frozen=True)
class ReportFiles:
    """Sections of experiments, and the records of this run."""

    sections: Sequence[Path] = ()
    section_files: Sequence[Path] = ()  # tables, figures and pages that the sections name
    records: Sequence[Path] = ()  # provenance records, or folders that hold one
    assets: Sequence[Path] = ()  # folders of data packages


def build_report(run: ReportRun, files: ReportFiles, out: Path | str) -> Path:
    """Write all pages into the folder `out`; returns its index.html."""
    out = Path(out)
    write_bytes(out / STYLE, (TEMPLATES / STYLE).read_bytes())
    sections = load_sections(files.sections, files.section_files, out)
    environment = _environment()

    def write(page: str, template: str, **values: Any) -> None:
        shown = environment.get_template(template)
        write_text(
            out / (page or "index.html"),
            shown.render(page=page, run=run, sections=sections, **values),
        )

    for section in sections:
        write(section.page, "section.html", section=section)
    assets = [read_asset(path) for path in files.assets]
    write("", "index.html", assets=assets, **run_facts(files.records))
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
    environment.filters |= {"duration": duration, "coded": coded}
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
