"""The audit from files: comparisons that are refused, the review sheet, and the recount."""

import json
from html.parser import HTMLParser

import numpy as np
import pytest
from datasets_made import build_dataset

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, write_csv, write_text
from milan_core.core.section import read_section
from milan_core.core.step import Compute
from milan_core.exemplars.layer import LayerExemplars
from milan_core.exemplars.store import ExemplarSet
from milan_core.experiments.audit.detectors import covered, opinions
from milan_core.experiments.audit.options import AuditOptions, Pair
from milan_core.experiments.audit.step import AuditCount, AuditRecount, AuditSection
from milan_core.world.truth import write_truth

QUERY = {
    "words": ["face"], "exclude": ["clock face"], "match": "words", "concepts": ["face"],
    "detector": "face",
}  # fmt: skip
TEXTS = {"one": ["Faces", "A clock face", "A face", "Stars"], "two": ["Stars", "Face", "Dots", "x"]}
TRUTH = {"one": ["face", "face", "star", "star"], "two": ["star", "star", "star", "face"]}


def exemplars(path, dataset, quantile=0.99, units=4):
    rng = np.random.default_rng(0)
    layer = LayerExemplars(
        ids=rng.integers(0, 12, (units, 3)),
        activations=np.ones((units, 3), np.float32),
        levels=np.full(units, 0.5, np.float32),
        resolved=np.ones(units, bool),
        maps=rng.random((units, 3, 8, 8), dtype=np.float32),
    )
    meta = {"dataset": dataset.fingerprint, "k": 3, "quantile": quantile, "mode": "top"}
    ExemplarSet({"conv": layer}, meta).save(path)


@pytest.fixture
def count(tmp_path):
    dataset = build_dataset("probe", {"kind": "shapes", "count": 12}, {}, tmp_path / "probe", 1)
    paths = {"descriptions": [], "exemplars": [], "truth": []}
    for name in ("one", "two"):
        folder = tmp_path / name
        exemplars(folder / "exemplars.safetensors", dataset)
        rows = [("conv", unit, text) for unit, text in enumerate(TEXTS[name])]
        write_csv(folder / "descriptions.csv", ("layer", "unit", "description"), rows)
        write_truth(
            folder / "truth.csv",
            [["conv", i, c, "face", 0.9, 3, 1, c, "", 0.0] for i, c in enumerate(TRUTH[name])],
        )
        for key, file in zip(paths, ("descriptions.csv", "exemplars.safetensors", "truth.csv"),
                             strict=True):  # fmt: skip
            paths[key].append(folder / file)
    options = AuditOptions(
        pairs=[Pair(name="pair", original="one", changed="two")],
        networks=[{"name": name, "dataset": "probe", "has_truth": True} for name in TEXTS],
        queries={"faces": QUERY},
    )
    out = tmp_path / "audit"
    return AuditCount(
        options=options,
        **paths,
        datasets=[tmp_path / "probe"] * 2,
        **{name: out / f"{name}.csv" for name in ("counts", "changes", "units")},
        review=out / "review",
    )


def section_of(count, **recount):
    """The section that is written on a count."""
    step = AuditSection(
        options=count.options,
        **{name: getattr(count, name) for name in ("counts", "changes", "units", "review")},
        **recount,
        figure=count.counts.with_name("change.svg") if count.options.pairs else None,
        section=count.counts.with_name("section.json"),
    )
    step.run(Compute())
    return read_section(step.section)


def recount(count, review):
    """The count again with people's answers in the file `review`."""
    step = AuditRecount(
        options=count.options,
        exemplars=count.exemplars,
        units=count.units,
        review=review,
        counts=count.counts.with_name("recount.csv"),
        changes=count.counts.with_name("recount_changes.csv"),
    )
    step.run(Compute())
    return step


def totals(path):
    return {
        (row["model"], row["source"]): int(row["matched"])
        for row in read_csv(path)
        if row["layer"] == "all"
    }


def test_counts_by_description_and_by_truth(count):
    count.run(Compute())
    found = totals(count.counts)
    assert found["one", "description"] == 2
    assert found["two", "description"] == 1
    assert found["one", "truth"] == 2
    assert found["two", "truth"] == 1
    rows = read_csv(count.units)
    assert [(row["model"], row["unit"], row["truth"]) for row in rows] == [
        ("one", "0", "1"), ("one", "2", "0"), ("two", "1", "0"),
    ]  # fmt: skip
    before = {p.name: p.read_bytes() for p in count.counts.parent.rglob("*") if p.is_file()}
    count.run(Compute())
    assert before == {p.name: p.read_bytes() for p in count.counts.parent.rglob("*") if p.is_file()}


class _Questions(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        if tag == "section":
            self.found.append(dict(attrs)["data-id"])


def questions(count):
    page = count.review / "index.html"
    parser = _Questions()
    parser.feed(page.read_text())
    assert "one" not in page.read_text().split("<section", 1)[1].split("<script")[0].split()
    return parser.found


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_a_recount_keeps_what_people_confirmed(count, suffix):
    count.run(Compute())
    asked = questions(count)
    assert len(asked) == len(set(asked)) == 3
    assert all((count.review / f"{name}.webp").is_file() for name in asked)
    answers = dict.fromkeys(asked, "no")
    answers[asked[0]] = "yes"
    path = count.counts.parent / f"review{suffix}"
    if suffix == ".json":
        write_text(path, json.dumps(answers))
    else:
        write_csv(path, ("id", "answer"), answers.items())
    again = recount(count, path)
    assert sum(totals(again.counts).values()) == 1
    section = section_of(count, recount=again.counts, recount_changes=again.changes)
    assert any("confirmed by people" in text for text in section.paragraphs)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda answers: answers.pop(next(iter(answers))), "1 of 3 questions have no answer"),
        (lambda answers: answers.update(abc="yes"), "belong to another audit"),
        (lambda answers: answers.update(dict.fromkeys(answers, "maybe")), "expected yes or no"),
    ],
)
def test_answers_that_cannot_be_counted(count, change, words):
    count.run(Compute())
    answers = dict.fromkeys(questions(count), "yes")
    change(answers)
    path = count.counts.parent / "review.csv"
    write_csv(path, ("id", "answer"), answers.items())
    with pytest.raises(UserError, match=words):
        recount(count, path)


def test_twins_probed_with_other_images_are_refused(count, tmp_path):
    other = build_dataset("other", {"kind": "shapes", "count": 12}, {}, tmp_path / "other", 2)
    exemplars(count.exemplars[1], other)
    with pytest.raises(UserError, match="different dataset"):
        count.run(Compute())


def test_twins_mined_with_other_options_are_refused(count, tmp_path):
    from milan_core.images.store import open_dataset

    exemplars(count.exemplars[1], open_dataset(tmp_path / "probe"), quantile=0.95)
    with pytest.raises(UserError, match=r"different quantile \(0.99 and 0.95\)"):
        count.run(Compute())


def test_descriptions_of_other_units_are_refused(count):
    write_csv(count.descriptions[0], ("layer", "unit", "description"), [("conv", 9, "x")])
    with pytest.raises(UserError, match="not of the same units"):
        count.run(Compute())


def test_single_network_without_truth(count):
    networks = [{"name": "one", "dataset": "p"}]
    options = AuditOptions(networks=networks, queries=count.options.queries)
    firsts = {name: getattr(count, name)[:1] for name in ("descriptions", "exemplars", "datasets")}
    alone = count.model_copy(update={"options": options, "truth": [], **firsts})
    alone.run(Compute())
    assert totals(alone.counts)["one", "description"] == 2
    assert any("2 of 4 units" in text for text in section_of(alone).paragraphs)


def test_truth_of_other_networks_is_refused(count):
    with pytest.raises(UserError, match=r"--truth has 1 paths for 2 networks .*\(one, two\)"):
        count.model_copy(update={"truth": count.truth[:1]}).run(Compute())


def test_a_box_covers_its_share_of_the_mask():
    mask = np.zeros((8, 8), bool)
    mask[:4, :4] = True
    boxes = np.array([[0.0, 0.0, 0.25, 0.5], [0.5, 0.5, 1.0, 1.0]])
    assert covered(mask, boxes) == 0.5
    assert covered(mask, np.zeros((0, 4))) == 0.0
    assert covered(np.zeros((8, 8), bool), boxes) == 0.0


def test_opinions_ask_the_detector_once_per_image(count, tmp_path):
    from milan_core.exemplars.store import load_exemplars
    from milan_core.images.store import open_dataset

    found = load_exemplars(count.exemplars[0])
    images = open_dataset(tmp_path / "probe").images
    asked = []

    def everywhere(image):
        asked.append(image.sum())
        return np.array([[0.0, 0.0, 1.0, 1.0]])

    shares = opinions(found, images, [("conv", 0), ("conv", 1)], everywhere)
    assert shares == {("conv", 0): 1.0, ("conv", 1): 1.0}
    assert len(asked) == len(set(found.ids("conv")[:2].ravel().tolist()))
