"""The editing on a network whose only fault is known: unit 2 sees text and votes for class 0."""

import argparse

import numpy as np
import pytest
import torch

from experiments.edit.made_network import NETWORK, SPLITS, dataset, mined
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, read_json, write_csv
from milan_core.core.step import Compute
from milan_core.experiments.edit.fine_tune import fine_tuned
from milan_core.experiments.edit.options import EditOptions, EditTrial, FineTune
from milan_core.experiments.edit.results import ADVERSARIAL, CLEAN, CORRECT
from milan_core.experiments.edit.step import EditNetwork, EditTable
from milan_core.networks.options import Network
from milan_core.networks.zoo import load_network
from milan_core.scoring.options import Query


@pytest.fixture
def files(tmp_path):
    (tmp_path / "net.py").write_text(NETWORK)
    kinds = ("wrong", "clean", "wrong", "clean", "right", "wrong")
    data = [dataset(tmp_path / n, k) for n, k in zip(SPLITS.values(), kinds, strict=True)]
    texts = ["Red things", "Green things", "Text", "Words", "Textures"]
    rows = [("conv", unit, text) for unit, text in enumerate(texts)]
    write_csv(tmp_path / "descriptions.csv", ("layer", "unit", "description"), rows)
    mined(5).save(tmp_path / "exemplars.safetensors")
    model = {
        "name": "net", "factory": f"{tmp_path}/net.py:build", "layers": ["conv"], "batch_size": 8,
        "input": {"size": 4, "mean": [0, 0, 0], "std": [1, 1, 1]},
    }  # fmt: skip
    options = {
        "query": {"words": ["text", "word"], "exclude": [], "match": "words", "concepts": ["text"]},
        "splits": SPLITS, "steps": [0, 1, 2, 48], "draws": 6, "fine_tune": None, "bootstrap": 200,
    }  # fmt: skip
    return argparse.Namespace(
        model=model, options=options, descriptions=tmp_path / "descriptions.csv", truth=None,
        exemplars=tmp_path / "exemplars.safetensors", datasets=[d.folder for d in data],
        train=None, reference=None, seed=0, device="cpu", out=tmp_path / "edit" / "result.json",
    )  # fmt: skip


def run_edit(files):
    """The step of these files, run; `options` holds those of the trial and the query as well."""
    options = dict(files.options)
    splits, query = options.pop("splits"), options.pop("query")
    facts = {key: options.pop(key) for key in ("group", "ranking_text") if key in options}
    trial = EditTrial(
        model=files.model["name"],
        ranking=splits["ranking"],
        validation={key: splits[f"validation-{key}"] for key in ("clean", "adversarial")},
        test={key: splits[f"test-{key}"] for key in ("clean", "correct", "adversarial")},
        **facts,
    )
    EditNetwork(
        model=Network(**{**files.model, "name": files.model["name"]}),
        trial=trial,
        query=Query(**query),
        options=EditOptions(**options),
        result=files.out,
        curves=files.out.with_name("curves.csv"),
        units=files.out.with_name("units.csv"),
        **{
            key: getattr(files, key)
            for key in ("descriptions", "exemplars", "truth", "datasets", "train", "reference")
        },
        seed=files.seed,
    ).run(Compute())


def tabulate(results, folder):
    """The joined tables and the section of results; returns the summary."""
    names = {"curves": "curves.csv", "table": "summary.csv", "summary": "summary.json"}
    names |= {"figure": "curves.svg", "section": "section.json"}
    EditTable(
        results=results,
        network_curves=[path.with_name("curves.csv") for path in results],
        **{key: folder / name for key, name in names.items()},
    ).run(Compute())
    return read_json(folder / "summary.json")


def test_the_faulty_unit_is_found_and_removed(files):
    run_edit(files)
    result = read_json(files.out)
    assert result["matched"] == 2
    assert result["known"] is None
    values = {split: entry["value"] for split, entry in result["before"].items()}
    assert values == {CLEAN: 1.0, CORRECT: 1.0, ADVERSARIAL: 0.5}
    text = result["conditions"]["text-sorted"]
    assert text["n"] == 1
    assert [text["after"][split]["value"] for split in (CLEAN, CORRECT, ADVERSARIAL)] == [1, 1, 1]
    gain = text["gain"][ADVERSARIAL]
    assert gain["value"] == 0.5
    assert 0.3 < gain["low"] < 0.5 < gain["high"] < 0.7
    assert result["text_less"]["all-sorted"]["value"] == 0.0
    units = [row for row in read_csv(files.out.with_name("units.csv")) if row["place"] == "0"]
    assert {row["chosen_by"]: row["unit"] for row in units} == {
        "text-sorted": "2", "all-sorted": "2", "sorted, not text": "4",
    }  # fmt: skip
    assert result["identical"] == ["all-sorted"]
    assert result["rank"]["each other unit of the layer"] == {"rank": 1, "of": 5}
    others = result["conditions"]["sorted, not text"]
    assert (others["n"], others["gain"][ADVERSARIAL]["value"]) == (0, 0.0)


def test_a_network_whose_first_units_are_recorded_is_edited_in_those(files, tmp_path):
    files.model["units"] = 3
    rows = [("conv", unit, text) for unit, text in enumerate(["Red things", "Green ones", "Text"])]
    write_csv(tmp_path / "descriptions.csv", ("layer", "unit", "description"), rows)
    mined(3).save(files.exemplars)
    run_edit(files)
    result = read_json(files.out)
    assert (result["units"], result["matched"]) == (3, 1)
    assert result["conditions"]["text-sorted"]["after"][ADVERSARIAL]["value"] == 1.0


def test_data_sets_are_told_apart_by_name_not_by_order(files):
    run_edit(files)
    before = files.out.read_bytes()
    files.datasets = files.datasets[::-1]
    files.options["splits"] = dict(sorted(SPLITS.items()))  # as canonical JSON has them
    run_edit(files)
    assert files.out.read_bytes() == before
    files.options["splits"] = {**SPLITS, "test-clean": "another"}
    with pytest.raises(UserError, match="another"):
        run_edit(files)


def test_the_number_of_units_may_be_read_off_the_test_curve(files, tmp_path):
    """Where validation says one unit and the test says none, the published way takes none."""
    kinds = ("wrong", "clean", "wrong", "clean", "right", "clean")
    data = [dataset(tmp_path / "b" / n, k) for n, k in zip(SPLITS.values(), kinds, strict=True)]
    files.datasets = [d.folder for d in data]
    run_edit(files)
    by_validation = read_json(files.out)
    files.options["choose_on"] = "test"
    run_edit(files)
    by_test = read_json(files.out)
    assert by_validation["conditions"]["text-sorted"]["n"] == 1
    assert "chosen_on" not in by_validation
    assert by_test["conditions"]["text-sorted"]["n"] == 0
    assert by_test["chosen_on"] == "test"
    tabulate([files.out], tmp_path / "r")
    section = (tmp_path / "r" / "section.json").read_text()
    assert "read off the test curve, as the paper did" in section
    assert "no number of units helped" in section
    assert "Nothing is ablated by all-sorted, sorted, not text, random, layer-matched" in section
    assert "The very same units are chosen" not in section, "no unit was chosen"
    assert "the test scenes with wrong text, as published" in section
    assert "third set" not in section


def test_keys_of_the_mining_change_nothing(files):
    run_edit(files)
    before = files.out.read_bytes()
    files.model |= {"dtype": "bfloat16", "compile": True}
    run_edit(files)
    assert files.out.read_bytes() == before


def test_curves_hold_every_condition_and_draw(files):
    run_edit(files)
    rows = read_csv(files.out.with_name("curves.csv"))
    assert list(rows[0])[:5] == ["condition", "trial", "n_ablated", "split", "accuracy"]
    table = {(r["condition"], r["trial"], r["n_ablated"], r["split"]): r["accuracy"] for r in rows}
    assert len(table) == len(rows)
    assert table["text-sorted", "0", "0", ADVERSARIAL] == "0.5"
    assert table["text-sorted", "0", "1", ADVERSARIAL] == "1.0"
    for condition in ("random", "layer-matched random"):
        for draw in range(6):
            assert (condition, str(draw), "1", CORRECT) in table
            if draw < 3:
                assert table[condition, str(draw), "0", ADVERSARIAL] == "0.5"
    drawn = [float(table["random", str(draw), "1", ADVERSARIAL]) for draw in range(6)]
    result = read_json(files.out)["conditions"]["random"]
    assert result["after"][ADVERSARIAL]["value"] == pytest.approx(np.mean(drawn))


def test_tables_and_section_of_two_networks(files, tmp_path):
    run_edit(files)
    folder = tmp_path / "results"
    summary = tabulate([files.out, files.out], folder)
    gain = summary["over_networks"][""]["text-sorted"]["gain"]
    assert gain == {"value": 0.5, "low": 0.5, "high": 0.5}
    rows = read_csv(folder / "summary.csv")
    assert [row["condition"] for row in rows][:2] == ["before", "text-sorted"]
    assert float(rows[1]["test-adversarial-gain"]) == 0.5
    text = " ".join(read_json(folder / "section.json")["paragraphs"])
    assert "from 50.0% to 100.0%" in text
    assert "at the price of +0.0 points [+0.0, +0.0] on correct text" in text
    assert "The very same units are chosen by all-sorted, so these are no comparisons" in text
    assert "in 2 of 2 networks the same units are found without any description" in text
    assert "Against all-sorted" not in text
    assert "this does not confirm the paper" in text, "two networks are too few for a test"
    assert (folder / "curves.svg").read_text().startswith("<?xml")
    assert len(read_csv(folder / "curves.csv")) == 2 * len(
        read_csv(files.out.with_name("curves.csv"))
    )


def test_only_networks_of_one_group_are_averaged(files, tmp_path):
    paths = []
    for name, group in (("a", "few"), ("b", "few"), ("c", "many")):
        files.model["name"], files.out = name, tmp_path / name / "result.json"
        files.options |= {"group": group, "ranking_text": "as_learnt"}
        run_edit(files)
        paths.append(files.out)
    summary = tabulate(paths, tmp_path / "r")
    assert list(summary["over_networks"]) == ["few"]
    rows = read_csv(tmp_path / "r" / "summary.csv")
    means = [row["model"] for row in rows if row["model"] not in "abc"]
    assert set(means) == {"mean over networks of few"}
    text = " ".join(read_json(tmp_path / "r" / "section.json")["paragraphs"])
    assert "Over 2 networks of few" in text
    assert "as in the paper: `all-sorted`" in text
    assert "have wrong words" not in text
    assert "many, wrong text" in (tmp_path / "r" / "curves.svg").read_text()


def test_a_head_learns_to_do_without_the_cue(files, tmp_path):
    spec = {k: v for k, v in files.model.items() if k not in ("name", "batch_size")}
    loaded = load_network(spec)
    before = {name: value.clone() for name, value in loaded.module.state_dict().items()}
    settings = FineTune(layers=["fc"], epochs=40, learning_rate=0.1)
    data = dataset(tmp_path / "train", "wrong")
    module = fine_tuned(loaded, [("conv", 0)], data, settings, 0)
    assert all(torch.equal(v, before[n]) for n, v in loaded.module.state_dict().items())
    assert torch.equal(module.conv.weight, before["conv.weight"])
    assert not torch.equal(module.fc.weight, before["fc.weight"])
    red = torch.zeros(1, 3, 4, 4)
    red[:, 0] = 1
    assert not module.conv(red)[:, 0].any(), "the unit stays at zero"
    files.options["fine_tune"], files.train = settings, data.folder
    run_edit(files)
    tuned = read_json(files.out)["fine_tuned"]
    assert tuned["units removed"][ADVERSARIAL] == 1.0
    assert set(tuned) == {"units removed", "no unit removed"}


def test_a_reference_is_read_from_its_training(files, tmp_path):
    rows = [(SPLITS[f"test-{kind}"], 0.75, 40) for kind in ("clean", "correct", "adversarial")]
    files.reference = tmp_path / "accuracy.csv"
    write_csv(files.reference, ("dataset", "accuracy", "images"), rows)
    run_edit(files)
    assert read_json(files.out)["reference"] == dict.fromkeys((CLEAN, CORRECT, ADVERSARIAL), 0.75)
    write_csv(files.reference, ("dataset", "accuracy", "images"), rows[:1])
    with pytest.raises(UserError, match="no accuracy on test_right, test_wrong"):
        run_edit(files)


def test_no_unit_described_as_text_is_a_result(files, tmp_path):
    files.options["query"]["words"] = ["faces"]
    run_edit(files)
    result = read_json(files.out)
    assert result["matched"] == result["conditions"]["text-sorted"]["n"] == 0
    assert result["conditions"]["random"]["gain"][ADVERSARIAL]["value"] == 0.0
    tabulate([files.out], tmp_path)
    assert "none of its 5 units" in read_json(tmp_path / "section.json")["paragraphs"][0]


def test_mistakes(tmp_path):
    (tmp_path / "r.json").write_text('{"format": 9}')
    with pytest.raises(UserError, match="not an editing result"):
        tabulate([tmp_path / "r.json"], tmp_path)
