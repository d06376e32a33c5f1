"""labels.csv: labels out of the texts of a layer, judged on other images than chose them."""

import numpy as np
import pytest

from milan_core.cli import main
from milan_core.core.files import read_csv, write_csv
from milan_core.describers.several.table import COLUMNS, label_network, parts_of_images
from milan_core.exemplars.splits import heldout_images
from milan_core.exemplars.table import ActivationTable, TableFacts, merge_tables
from milan_core.images.kinds.zoo import Zoo, ZooOptions
from milan_core.referee.judges.oracle import Judge
from milan_core.world.zoo.expressions import parse_expression
from milan_core.world.zoo.facts import Facts, draw_facts

UNITS = ("circle", "or(star, red square)", "0", "count(heart)", "or(circle, mark)")
TEXTS = ("circles", "stars", "red squares", "hearts", "letters", "large circles", "things", "?")
COUNT = 900


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A data set, its activation table and a table of descriptions."""
    folder = tmp_path_factory.mktemp("labels")
    dataset = Zoo(options=ZooOptions(count=COUNT), seed=8).build("zoo", folder / "set", {}, 1)
    facts = Facts(draw_facts(COUNT, 8))
    values = np.stack([parse_expression(unit).value(facts) for unit in UNITS])
    made_of = TableFacts(
        model="planted",
        model_hash="0",
        dataset=dataset.fingerprint,
        images=COUNT,
        layers=(("layer", len(UNITS)),),
    )
    shard = ActivationTable(
        made_of, np.arange(COUNT), np.zeros(COUNT, bool), {"max": values.astype(np.float32)}
    )
    merge_tables([shard]).save(folder / "activations.safetensors")
    rows = [("layer", number, text) for number, text in enumerate(TEXTS)]
    write_csv(folder / "texts.csv", ("layer", "unit", "description"), rows)
    return folder, dataset, merge_tables([shard])


def test_every_unit_gets_its_labels(files):
    _, dataset, table = files
    found = {one.key[1]: one for one in label_network(table, dataset, Judge(), {"layer": TEXTS})}
    assert found[0].texts == ("circles",)
    assert set(found[1].texts) == {"stars", "red squares"}
    assert 2 not in found, "a dead unit has none"
    assert found[3].texts == ("hearts",)
    assert set(found[4].texts) == {"circles", "letters"}
    assert found[0].figures.together == pytest.approx(1)
    two = found[4]
    assert two.figures.together > two.single_correlation > 0.6
    assert two.single == "circles"
    assert two.figures.covered == pytest.approx(1)


def test_other_images_judge_than_choose(files):
    _, dataset, table = files
    choosing, judging = parts_of_images(table)
    assert not set(choosing.tolist()) & set(judging.tolist())
    held = heldout_images(dataset.fingerprint, COUNT, "split")
    np.testing.assert_array_equal(judging, np.flatnonzero(held))
    part = np.arange(COUNT) < 100
    given = ActivationTable(table.facts, table.ids, part, {}, {})
    np.testing.assert_array_equal(parts_of_images(given)[1], np.flatnonzero(part))


def test_the_command_writes_a_table_that_can_be_scored(files, capsys):
    folder, _, _ = files
    table = ["--table", str(folder / "activations.safetensors"), "--images", str(folder / "set")]
    texts = ["--descriptions", str(folder / "texts.csv")]
    for name in ("one", "two"):
        assert main(["labels", *table, *texts, "--out", str(folder / name)]) == 0
    told = capsys.readouterr().out
    assert "5 units: 2 with 1, 2 with 2, 1 without; candidates: 8 texts of 1 layer" in told
    assert (folder / "one/labels.csv").read_bytes() == (folder / "two/labels.csv").read_bytes()
    rows = read_csv(folder / "one/labels.csv", COLUMNS)
    assert [row["rank"] for row in rows if row["unit"] == "4"] == ["1", "2"]
    scored = ["score", *table, "--descriptions", str(folder / "one/labels.csv"), "--allow-small"]
    assert main([*scored, "--out", str(folder / "scores")]) == 0
    correlations = {
        int(row["unit"]): float(row["correlation"] or "nan")
        for row in read_csv(folder / "scores/scores.csv")
    }
    assert correlations[0] == pytest.approx(1)
    assert correlations[4] > 0.85


def test_mistakes_are_sentences(files, capsys):
    folder, _, _ = files
    common = ["--images", str(folder / "set"), "--descriptions", str(folder / "texts.csv")]
    assert main(["labels", *common, "--out", str(folder / "x")]) == 2
    assert "give --model or --table" in capsys.readouterr().err
    table = ["--table", str(folder / "activations.safetensors")]
    assert main(["labels", *common, *table, "--most", "0", "--out", str(folder / "x")]) == 2
    assert "--most: give 1 or more" in capsys.readouterr().err
    assert not (folder / "x").exists()
