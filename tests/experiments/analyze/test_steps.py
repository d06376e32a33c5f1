"""Analysis by ablation from files to tables and section, on a network whose answer is known."""

import numpy as np
import pytest
import torch
from paths import TESTS
from torch import nn

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, write_csv
from milan_core.core.section import read_section
from milan_core.core.step import Compute
from milan_core.experiments import orders
from milan_core.experiments.analyze import network, sentences, tables
from milan_core.experiments.analyze.options import AnalyzeOptions
from milan_core.experiments.analyze.step import AnalyzeNetwork, AnalyzePart, AnalyzeTable
from milan_core.networks.options import Network

UNITS = 60  # in each of two layers


class KnownNetwork(nn.Module):
    """Class 1 where unit 0 of layer `one` is positive; all other units play no part."""

    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(3, UNITS, 1, bias=False)
        self.two = nn.Conv2d(UNITS, UNITS, 1, bias=False)
        self.fc = nn.Linear(UNITS, 2)
        with torch.no_grad():
            self.one.weight.fill_(1)
            self.two.weight.copy_(torch.eye(UNITS)[:, :, None, None])
            self.fc.weight.zero_()
            self.fc.weight[1, 0] = 1
            self.fc.bias.copy_(torch.tensor([0.01, 0.0]))

    def forward(self, x):
        return self.fc(self.two(self.one(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def analysed(tmp_path_factory):
    """A network analysed from files: only the units described as keys matter."""
    from datasets_made import build_dataset

    folder = tmp_path_factory.mktemp("analysis")
    pixels = np.full((40, 8, 8, 3), 40, dtype=np.uint8)
    pixels[20:] = 200
    np.save(folder / "pixels.npy", pixels)
    np.save(folder / "labels.npy", np.arange(40) // 20)
    paths = {name: str(folder / f"{name}.npy") for name in ("pixels", "labels")}
    options = {"path": paths["pixels"], "labels": paths["labels"], "classes": ["dark", "light"]}
    data = folder / "data"
    build_dataset("known", {"kind": "arrays", "options": options}, {}, data, 0)
    rows = [
        (layer, unit, "Key" if unit == 0 else "Thing" + " thing" * (unit % 2), 0)
        for layer in ("one", "two")
        for unit in range(UNITS)
    ]
    write_csv(folder / "descriptions.csv", ("layer", "unit", "description", "logp"), rows)
    (folder / "net.py").write_text(
        "import sys\nfrom pathlib import Path\n"
        f"sys.path.insert(0, {str(TESTS)!r})\n"
        "from experiments.analyze.test_steps import KnownNetwork\n"
    )
    model = Network(
        name="known",
        factory=f"{folder}/net.py:KnownNetwork",
        layers=["one", "two"],
        input={"size": 8, "mean": [0.5] * 3, "std": [0.5] * 3},
        batch_size=8,
    )
    options = AnalyzeOptions(
        fractions=[0.0, 0.02, 0.04, 0.06],
        ties=5,
        trials=20,
        queries={"key": ["key"], "lost": ["nothing"]},
        batch_size=64,
    )
    step = AnalyzeNetwork(
        model=model,
        dataset=data,
        descriptions=folder / "descriptions.csv",
        options=options,
        **outputs(folder / "analyze"),
    )
    run_both(step)
    return step


def outputs(folder):
    return {name: folder / f"known/{name}.csv" for name in ("ablation", "importance", "criteria")}


def run_both(step):
    """The network, then the tables of this one network; returns their folder."""
    step.run(Compute())
    folder = step.ablation.parent.parent
    AnalyzeTable(
        models=["known"],
        **{name: [path] for name, path in outputs(folder).items()},
        **{name: folder / f"{name}.csv" for name in ("summary", "correlations", "shares")},
        differences=folder / "differences.svg",
        curves=[folder / "known/curves.svg"],
        section=folder / "section.json",
    ).run(Compute())
    return folder


def test_the_units_that_matter_are_found(analysed):
    folder = analysed.ablation.parent.parent
    single = read_csv(folder / "known" / "importance.csv")
    lost = {(row["layer"], int(row["unit"])): float(row["importance"]) for row in single}
    assert {unit for unit, value in lost.items() if value > 0} == {("one", 0), ("two", 0)}
    assert lost["one", 0] == 0.5
    rows = {row["criterion"]: row for row in read_csv(folder / "summary.csv")}
    key = rows["key"]
    # Nothing ablated: 1; both keys, which come first, and whatever follows: 0.5.
    assert float(key["area"]) == pytest.approx((0.02 * 0.75 + 0.04 * 0.5) / 0.06)
    assert float(key["random_difference"]) < 0
    assert float(key["layer_matched_outlier_p"]) < 0.05
    assert int(key["matching"]) == 2
    assert rows["lost"]["area"] == "", "a query that no description meets has no order"
    found = {row["criterion"]: row for row in read_csv(folder / "correlations.csv")}
    assert float(found["key"]["within"]) == pytest.approx(1)
    shares = read_csv(folder / "shares.csv")
    assert {row["layer"]: float(row["share"]) for row in shares if row["criterion"] == "key"} == {
        "one": pytest.approx(1 / UNITS),
        "two": pytest.approx(1 / UNITS),
    }


def test_curves_have_every_order(analysed):
    rows = read_csv(analysed.ablation, network.ABLATION)
    trials = {}
    for row in rows:
        trials.setdefault((row["criterion"], row["order"]), set()).add(int(row["trial"]))
    assert {key: len(value) for key, value in trials.items()} == {
        ("random", "random"): 20,
        ("length", "criterion"): 5,
        ("length", "layer_matched"): 20,
        ("key", "criterion"): 5,
        ("key", "layer_matched"): 20,
    }
    assert {(row["fraction"], row["n_ablated"]) for row in rows} == {
        ("0.0", "0"),
        ("0.02", "2"),
        ("0.04", "4"),
        ("0.06", "7"),
    }


def test_equal_scores_may_stay_in_the_published_order(analysed, monkeypatch, tmp_path):
    """One order per criterion, by layer and unit among equals; its report has no interval."""
    options = analysed.options.model_copy(update={"tie_order": "dataset", "trials": 2, "ties": 2})
    seen, order = [], orders.by_score_and_index
    monkeypatch.setattr(
        network, "by_score_and_index", lambda scores: seen.append(order(scores)) or seen[-1]
    )
    published = outputs(tmp_path)
    folder = run_both(analysed.model_copy(update={"options": options, **published}))
    rows = read_csv(published["ablation"], network.ABLATION)
    trials = {(row["criterion"], row["order"], row["trial"]) for row in rows}
    assert {t for t in trials if t[:2] == ("key", "criterion")} == {("key", "criterion", "0")}
    assert {t for t in trials if t[1] == "layer_matched"} >= {("key", "layer_matched", "1")}
    keys = [one.tolist() for one in seen if one.tolist()[:2] == [0, UNITS]]
    assert keys[0] == [0, UNITS, *range(1, UNITS), *range(UNITS + 1, 2 * UNITS)]
    key = {row["criterion"]: row for row in read_csv(folder / "summary.csv")}["key"]
    assert key["area_low"] == key["area_high"] == ""
    text = " ".join(read_section(folder / "section.json").paragraphs)
    assert "one order per criterion, in which early layers come first" in text


def test_section_says_what_the_tables_say(analysed):
    section = read_section(analysed.ablation.parents[1] / "section.json")
    assert section.name == "analyze"
    # Orders by "key" and by length; a query without hits has none.
    assert "Of 2 orders (1 networks), 1 stand out" in section.paragraphs[0]
    assert "key -" in section.paragraphs[1]
    assert "accuracy 1.000 with all units" in section.paragraphs[1]
    assert any("The paper reports" in text for text in section.paragraphs)
    assert {item.path for item in section.items} >= {"known/curves.svg", "summary.csv"}


def test_the_same_seed_gives_the_same_bytes(analysed, tmp_path):
    again = run_both(analysed.model_copy(update=outputs(tmp_path)))
    first = analysed.ablation.parents[1]
    for path in sorted(first.rglob("*.*")):
        assert path.read_bytes() == (again / path.relative_to(first)).read_bytes(), path


def test_descriptions_of_other_units_are_refused(analysed, tmp_path):
    rows = read_csv(analysed.descriptions)[:-1]
    wrong = tmp_path / "wrong.csv"
    write_csv(wrong, list(rows[0]), [list(row.values()) for row in rows])
    with pytest.raises(UserError, match=r"wrong\.csv"):
        analysed.model_copy(update={"descriptions": wrong}).run(Compute())


def claim(criterion, difference, p, matched_p=0.01):
    return sentences._claim(
        {
            "criterion": criterion,
            "random_difference": difference,
            "random_p_holm": p,
            "random_seen": 0.15,
            "matched_p_holm": matched_p,
        }
    )


def test_claims_of_the_paper_are_judged():
    assert "Adjectives: this agrees with the paper (-0.100" in claim("adjectives", -0.1, 0.01)
    assert "disagrees with the paper" in claim("adjectives", 0.1, 0.01)
    text = claim("adpositions", -0.1, 0.2)
    assert "does not confirm the paper (-0.100 against random orders, p 0.200; from 0.15 on" in text
    assert "agrees with the paper, but no longer" in claim("word-difference", 0.1, 0.01, 0.3)
    assert "does not confirm the paper" in claim("adjectives", -0.1, ""), "undefined is not clear"
    assert "p < 0.001" in claim("adjectives", -0.1, 1e-9)
    assert claim("nouns", 0.1, 0.01) == ""


def test_layers_that_have_as_many_stand_beside_the_first():
    """29 of 48 units are no more than 77 of 128, and clearly more than 2 of 96; 4 have no share."""
    matching = {"a": (29, 48), "b": (77, 128), "c": (2, 96), "d": (1, 4)}
    layers = [layer for layer, (_, count) in matching.items() for _ in range(count)]
    matches = np.concatenate([np.arange(count) < hits for hits, count in matching.values()])
    found = tables.Analysis(
        "m",
        {},
        [0.0],
        np.array(layers),
        np.zeros(len(layers)),
        {},
        {},
        {"adjectives": matches},
        1.0,
    )
    text = sentences._positions(found)
    assert "in a (60% of its units, early, as the paper's early; not told apart from b)" in text
    matches[: 48 + 128] = np.arange(48 + 128) < 48
    assert sentences._positions(found).endswith("as the paper's early).")


def test_tables_refuse_files_of_different_units(analysed, tmp_path):
    lines = analysed.importance.read_text().splitlines()
    shorter = tmp_path / "importance.csv"
    shorter.write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(UserError, match=r"differ from those of .*importance\.csv"):
        tables.read_analysis("known", analysed.ablation, shorter, analysed.criteria)


def test_the_accuracy_with_all_units_is_said_where_curves_begin_without_some(analysed, tmp_path):
    """Fractions from .02 on: the first point of a curve is no accuracy "with all units"."""
    kept = [row for row in read_csv(analysed.ablation) if row["fraction"] != "0.0"]
    rows = [row | {"accuracy": "0.7"} if row["criterion"] == "random" else row for row in kept]
    later = tmp_path / "ablation.csv"
    write_csv(later, network.ABLATION, [[row[name] for name in network.ABLATION] for row in rows])
    found = tables.read_analysis("known", later, analysed.importance, analysed.criteria)
    assert (found.fractions[0], found.random[0, 0]) == (0.02, 0.7)
    assert found.accuracy == 1.0


@pytest.mark.parametrize("of", [1, 2, 4])
@pytest.mark.parametrize("images", [8, 24])
def test_an_analysis_in_parts_has_the_bytes_of_one_job(analysed, tmp_path, monkeypatch, of, images):
    monkeypatch.setattr(network, "IMAGES", images)
    given = {
        name: getattr(analysed, name) for name in ("model", "dataset", "descriptions", "options")
    }
    files = [tmp_path / f"{part}-of-{of}.safetensors" for part in range(1, of + 1)]
    for part, done in enumerate(files, 1):
        AnalyzePart(**given, part=part, of=of, done=done).run(Compute())
    step = AnalyzeNetwork(**given, parts=files, **outputs(tmp_path))
    step.run(Compute())
    for name, path in outputs(tmp_path).items():
        assert path.read_bytes() == getattr(analysed, name).read_bytes(), name
    if of > 1:
        with pytest.raises(UserError, match="are in none of the"):
            step.model_copy(update={"parts": files[1:]}).run(Compute())


def test_the_identity_of_the_network_is_that_before_its_passes(analysed, tmp_path, monkeypatch):
    given = {
        name: getattr(analysed, name) for name in ("model", "dataset", "descriptions", "options")
    }
    step = AnalyzePart(**given, part=1, of=1, done=tmp_path / "1-of-1.safetensors")
    before = step.work(Compute()).network()
    opened = network.open_engine

    def passes(loaded, *arguments):
        loaded.module.left = "by a pass"
        return opened(loaded, *arguments)

    monkeypatch.setattr(network, "open_engine", passes)
    assert step.work(Compute()).network() == before
