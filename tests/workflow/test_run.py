"""The quick run: what it writes, that it is idle afterwards, and what a change re-runs."""

import csv
import json
import os
from html.parser import HTMLParser

import pytest

from .conftest import QUICK, snakemake
from .plans import job_counts

pytestmark = pytest.mark.workflow
NOTHING = "Nothing to be done"
MODELS = ["shapes_resnet", "shapes_alexnet"]
TRIAL = "without_shapes_resnet/shapes_resnet/seed0"


def rows(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_killed_run_is_finished_by_the_next_one(quick_run):
    assert "steps (100%) done" in (quick_run / "run.log").read_text()


@pytest.mark.parametrize("model", MODELS)
def test_every_unit_is_described(quick_run, model):
    table = rows(quick_run / f"results/quick/{model}/descriptions.csv")
    columns = ["layer", "unit", "description", "logp", "logp_lm", "score"]
    assert list(table[0])[:6] == columns
    assert len({(row["layer"], row["unit"]) for row in table}) == len(table) >= 60
    # a captioner of this size, trained for seconds, leaves a few units without words
    texts = [row["description"] for row in table]
    assert sum(map(bool, texts)) >= 0.8 * len(texts)
    assert len(set(texts)) > 5
    published = table
    if "describer" in table[0]:  # the text that is shown is not MILAN's
        folder = quick_run / f"results/quick/{model}/describe"
        published = [row for path in folder.glob("*/seed0/descriptions.csv") for row in rows(path)]
    assert published
    for row in published:
        expected = float(row["logp"]) - 0.2 * float(row["logp_lm"])
        assert float(row["score"]) == pytest.approx(expected, abs=1e-3)


def test_tables_have_their_columns(quick_run):
    table = rows(quick_run / "results/quick/generalization/table.csv")
    columns = ["experiment", "train", "test", "trial", "metric", "value"]
    assert list(table[0])[:6] == columns
    assert {row["experiment"] for row in table} == {
        "leave-one-network-out",
        "within-network",
        "across architectures",
        "from CNNs to a ViT",
        "from classifiers to a generator",
    }
    paired = rows(quick_run / "results/quick/generalization/paired.csv")
    assert len(paired) == 5, "everything but the four within-network rows"
    baselines = rows(quick_run / "results/quick/baselines/table.csv")
    assert list(baselines[0])[:5] == ["model", "method", "trial", "metric", "value"]
    methods = {row["method"] for row in baselines}
    assert {"pmi", "constant", "most_frequent", "shuffled_prediction"} <= methods
    assert {"shuffled_masks", "whole_image", "prior_only"} <= methods


def test_captioner_never_saw_the_network_it_describes(quick_run):
    for model in MODELS:
        units = rows(quick_run / f"results/quick/captioners/without_{model}/seed0/units.csv")
        assert model not in {row["model"] for row in units}
        described = rows(
            quick_run / f"results/quick/{model}/describe/without_{model}/seed0/descriptions.csv"
        )
        assert {row["side"] for row in described} == {"test"}


def test_every_step_leaves_its_provenance(quick_run):
    found = list((quick_run / "results/quick").rglob("*provenance.json"))
    steps = {json.loads(path.read_text())["step"] for path in found}
    assert {"networks.train", "features.pool", "captioner.train", "audit.count"} <= steps
    for path in found:
        record = json.loads(path.read_text())
        assert record["versions"]["torch"]
        assert record["wall_seconds"] >= 0


class _Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href") and value]


def test_report_opens_from_disk(quick_run):
    index = quick_run / "results/quick/report/index.html"
    pages = list(index.parent.rglob("*.html"))
    assert index in pages
    assert len(pages) > 3
    for page in pages:
        parser = _Links()
        parser.feed(page.read_text())
        for link in parser.found:
            assert not link.startswith(("http", "//")), (page, link)
            if not link.startswith(("#", "data:", "mailto:")):
                assert (page.parent / link.split("#")[0]).exists(), (page, link)


def test_second_run_is_idle(quick_run):
    again = snakemake(quick_run, *QUICK, "--cores", "2")
    assert again.returncode == 0
    assert NOTHING in again.stdout


def test_touching_every_source_changes_nothing(quick_run):
    for folder in ("milan_core", "workflow", "csrc", "config"):
        for path in (quick_run / folder).rglob("*"):
            os.utime(path)
    plan = snakemake(quick_run, "-n", *QUICK)
    assert NOTHING in plan.stdout, plan.stdout[-3000:]


@pytest.mark.parametrize(
    ("source", "first", "untouched"),
    [
        ("milan_core/captioner/training/train.py", "captioner_train", "features_pool"),
        ("milan_core/describers/milan.py", "describers_units", "captioner_train"),
        ("milan_core/scoring/scorer.py", "generalization_score", "describers_units"),
        ("milan_core/captioner/features/encoder.py", "features_pool", "exemplars_merge"),
        ("milan_core/report/pages.py", "report_pages", "generalization_table"),
    ],
)
def test_editing_a_stage_reruns_it_and_what_follows(quick_run, source, first, untouched):
    path = quick_run / source
    before = path.read_text()
    path.write_text(before + "\nlen  # a statement that every import of the module runs\n")
    try:
        counts = job_counts(snakemake(quick_run, "-n", *QUICK).stdout)
    finally:
        path.write_text(before)
    assert counts[first] > 0
    assert counts["report_pages"] == 1
    assert untouched not in counts


@pytest.mark.parametrize(
    ("file", "rule"),
    [
        ("captioners/within_shapes_vit/seed0/vocabulary.json", "captioner_train"),
        ("captioners/within_shapes_vit/seed0/units.csv", "captioner_train"),
        ("captioners/all/seed0/weights.safetensors", "captioner_train"),
        ("shapes_resnet/features/provenance.json", "features_pool"),
        ("encoder/shapes_probe/level1.npy", "features_encode"),
        (f"generalization/{TRIAL}/lambda.csv", "generalization_score"),
        (f"baselines/{TRIAL}/facts.json", "baselines_score"),
        (f"baselines/{TRIAL}/units.csv", "baselines_score"),
        ("decoding/shapes_resnet/timing.csv", "decoding_measure"),
    ],
)
def test_a_lost_file_is_made_again(quick_run, file, rule):
    path = quick_run / "results/quick" / file
    aside = quick_run / path.name
    path.rename(aside)
    try:
        assert job_counts(snakemake(quick_run, "-n", *QUICK).stdout)[rule] == 1
    finally:
        aside.rename(path)


def test_forcing_a_rule_reruns_it_and_what_follows(quick_run):
    counts = job_counts(snakemake(quick_run, "-n", *QUICK, "-R", "describers_units").stdout)
    # two left out, four within, three pairs, and the networks of the audit and the editing
    assert counts["describers_units"] == 2 + 4 + 3 + 2
    assert counts["generalization_table"] == counts["report_pages"] == 1
    assert "captioner_train" not in counts


def test_order_of_keys_does_not_matter(quick_run):
    path = quick_run / "config/quick.yaml"
    before = path.read_text()
    text = "exemplars: {k: 15, quantile: 0.99, shards: 2, bands: 3}"
    assert text in before
    path.write_text(before.replace(text, "exemplars: {bands: 3, shards: 2, quantile: 0.99, k: 15}"))
    try:
        assert NOTHING in snakemake(quick_run, "-n", *QUICK).stdout
    finally:
        path.write_text(before)


def test_another_number_of_shards_takes_the_finished_ones(quick_run):
    overlay = quick_run / "shards.yaml"
    overlay.write_text("exemplars: {shards: 3, unit_shards: 2}\n")
    plan = snakemake(quick_run, "-n", *QUICK, overlay.name)
    assert NOTHING in plan.stdout, plan.stdout[-3000:]
    overlay.write_text("shards: {describe: 2, score: 3, analyze: 2}\n")
    plan = snakemake(quick_run, "-n", *QUICK, overlay.name)
    assert NOTHING in plan.stdout, "results of one job stay"


def test_second_workflow_in_the_same_folder(quick_run):
    lock = quick_run / ".snakemake/locks"
    lock.mkdir(exist_ok=True)
    marker = lock / "0.output.lock"
    marker.write_text("results/quick/report\n")
    try:
        result = snakemake(quick_run, "--cores", "2", *QUICK, "-R", "report_pages")
    finally:
        marker.unlink()
    assert result.returncode != 0
    assert "Directory cannot be locked" in result.stdout
