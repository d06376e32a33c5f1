"""The zoo in the workflow: its data sets and network, and the ranking of a run's describers."""

import numpy as np
import pytest

from milan_core.cli import main
from milan_core.core.errors import UserError
from milan_core.core.files import write_csv
from milan_core.images.kinds.zoo import CLASSES, Zoo, ZooOptions
from milan_core.referee.judge import JudgedImages
from milan_core.referee.judges.oracle import Judge
from milan_core.referee.judges.zoo import ZooOracle
from milan_core.referee.metrics import METRICS
from milan_core.world.concepts import ConceptTable
from milan_core.world.zoo.drawing import draw
from milan_core.world.zoo.facts import Facts, draw_facts
from milan_core.zoo.rank import Field, RankOptions
from milan_core.zoo.run import order_of_describers, order_of_texts, read_run
from milan_core.zoo.units import planted_units


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    kind = Zoo(options=ZooOptions(count=120), seed=4)
    return kind.build("zoo", tmp_path_factory.mktemp("zoo") / "set", {}, 1)


def test_a_data_set_shows_the_scenes_with_their_instances(dataset):
    scenes = draw_facts(120, 4)
    np.testing.assert_array_equal(dataset.images[7], draw(scenes[7]))
    for instances, stored, scene in zip(dataset.instances, dataset.scenes, scenes, strict=True):
        assert instances.max() == len(stored) - 1 == len(scene.things) + scene.mark
    first = [f"{scene.things[0].color} {scene.things[0].shape}" for scene in scenes]
    assert [CLASSES[label] for label in dataset.labels] == first


def test_the_concepts_of_the_world_of_shapes_are_counted(dataset):
    table = ConceptTable(dataset)
    names = [concept.name for concept in table.concepts]
    whole = np.ones((len(dataset), 1, 64, 64), bool)
    counts = table.look(np.arange(len(dataset))[:, None], whole).counts[:, 0]
    circles = counts[:, names.index("circle")].sum(1) > 0
    facts = Facts(draw_facts(120, 4))
    np.testing.assert_array_equal(circles, (facts.shape == 0).any(1))


def test_the_oracle_of_a_run_knows_what_the_zoo_knows(dataset):
    texts = ["number of circles", "red things on the left", "both stars and hearts", "gibberish"]
    ids = np.array([5, 3, 70])
    found = Judge().columns(JudgedImages(dataset, ids), texts)
    np.testing.assert_array_equal(found, ZooOracle(draw_facts(120, 4)).presence(texts)[ids])
    assert np.isnan(found[:, 3]).all()


def test_rare_scenes_are_the_usual_ones_and_empty_ones():
    usual, rare = draw_facts(3000, 1), draw_facts(3000, 1, shown=0.05)
    shown = [one for one, other in zip(rare, usual, strict=True) if one == other]
    assert len(shown) == pytest.approx(150, abs=40)
    empty = [one for one in rare if not one.things]
    assert len(empty) + len(shown) == 3000
    assert {(one.tone, one.mark) for one in empty} == {("medium", False)}
    assert all(len(one.things) == 1 for one in draw_facts(50, 1, most=1))


def test_the_network_of_the_configuration_is_the_zoo(dataset):
    torch = pytest.importorskip("torch")
    from milan_core.zoo.build import zoo_network

    pixels = torch.from_numpy(np.array(dataset.images[:30])).permute(0, 3, 1, 2) / 255
    found = zoo_network()(pixels).numpy()
    units = [unit for unit in planted_units() if unit.key[0] == "logic"]
    facts = Facts(draw_facts(30, 4))
    expected = np.stack([unit.expression.value(facts) for unit in units], 1)
    np.testing.assert_array_equal(found, expected)


@pytest.fixture(scope="module")
def field():
    return Field(RankOptions(scenes=400, resamples=50))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A run in which `milan` tells the truth and `retrieval` the same of all; two judges."""
    folder = tmp_path_factory.mktemp("results")
    head = ("describer", "layer", "unit", "description", "status", *METRICS)
    for judge, right in (("oracle", 0.9), ("mini", -0.5)):
        rows = []
        for unit in planted_units():
            status = "scored" if unit.kind not in ("dead", "constant") else "dead"
            good, poor = ([score] * len(METRICS) for score in (right, 0.1))
            rows.append(("milan", *unit.key, unit.description, status, *good))
            rows.append(("retrieval", *unit.key, "number of hearts", status, *poor))
        write_csv(folder / "zoo_network" / "referee" / judge / "scores.csv", head, rows)
    return folder


def test_describers_and_scores_of_a_run_are_ranked(results, field):
    run = read_run(results, "zoo_network", field)
    assert [row.name for row in run.ranked] == ["MILAN", "retrieval of the nearest training unit"]
    assert run.ranked[0].measures["kappa"].value == pytest.approx(1)
    for order in (order_of_describers, order_of_texts):
        right, wrong = (order(run, judge, field)["auprc"].value for judge in ("oracle", "mini"))
        assert (right, wrong) == (pytest.approx(1), pytest.approx(-1))


def test_a_describers_own_judge_does_not_count(results, tmp_path, field):
    """CLIP-Dissect by the mini judge is ranked, and the oracle's scores of it count alone."""
    for judge, status in (("oracle", "scored"), ("mini", "own judge")):
        path = tmp_path / "zoo_network" / "referee" / judge / "scores.csv"
        text = (results / "zoo_network" / "referee" / judge / "scores.csv").read_text()
        rows = [line.split(",") for line in text.splitlines()[1:] if line.startswith("retrieval")]
        empty = [""] * len(METRICS) if status == "own judge" else ["0.95"] * len(METRICS)
        more = [",".join(["clip_dissect", *row[1:4], status, *empty]) for row in rows]
        path.parent.mkdir(parents=True)
        path.write_text("\n".join([*text.splitlines(), *more]) + "\n")
    run = read_run(tmp_path, "zoo_network", field)
    assert len(run.ranked) == 2, "it says what retrieval says"
    for judge in ("oracle", "mini"):
        path = tmp_path / "zoo_network/referee" / judge / "scores.csv"
        path.write_text(
            path.read_text().replace("retrieval,logic,0,number", "retrieval,logic,0,size")
        )
    run = read_run(tmp_path, "zoo_network", field)
    assert [row.name for row in run.ranked][2] == "CLIP-Dissect"
    assert np.isnan(run.scores["mini"]["auprc"][2]).all()
    assert order_of_describers(run, "mini", field)["auprc"].value == pytest.approx(-1)
    assert order_of_describers(run, "oracle", field)["auprc"].value < 1


def test_weighted_lists_have_a_correlation_only(results, tmp_path, field):
    path = tmp_path / "zoo_network" / "referee" / "oracle" / "scores.csv"
    lines = (results / "zoo_network/referee/oracle/scores.csv").read_text().splitlines()
    scores = ",".join(["0.5"] * len(METRICS))
    lists = [
        f'linear,{unit.key[0]},{unit.key[1]},"+1 circles; -1.5e-01 squares",scored,{scores}'
        for unit in planted_units()
    ]
    path.parent.mkdir(parents=True)
    path.write_text("\n".join([*lines, *lists]) + "\n")
    run = read_run(tmp_path, "zoo_network", field)
    (place,) = (i for i, row in enumerate(run.ranked) if row.name == "linear explanation")
    row = run.ranked[place]
    assert row.unread == 0
    assert np.isnan(row.measures["kappa"].value)
    assert np.isnan(run.kappa[place]).all()
    assert np.isfinite(row.measures["correlation"].value)
    units = [str(unit.expression) for unit in field.units]
    assert row.values["correlation"][units.index("circle")] > 0.95
    assert order_of_describers(run, "oracle", field)["auprc"].value == pytest.approx(1)


def test_the_configuration_is_sound(root):
    from milan_core.core.yaml_files import load_yaml
    from milan_core.plan.checks import parse_config

    raw = load_yaml(root / "config/config.yaml") | load_yaml(root / "config/zoo.yaml")
    config = parse_config(raw)
    assert config.models == ["zoo_network"]
    assert config.model_zoo["zoo_network"].axes


def test_a_run_by_command(results, tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- run -->\nold\n<!-- end of run -->\nz\n")
    assert main(["zoo", "rank", "--run", str(results), "--page", str(page)]) == 0
    text = page.read_text()
    assert "| MILAN | 100.0 ± 0.0 |" in text
    assert "old" not in text
    assert "| score | describers, mini | describers, oracle | texts, mini | texts, oracle |" in text
    assert main(["zoo", "rank", "--run", str(tmp_path)]) == 2
    assert "holds no scores" in capsys.readouterr().err


def test_the_scores_of_another_network_are_refused(results, tmp_path, field):
    head = ("describer", "layer", "unit", "description", "status")
    other = tmp_path / "net" / "referee" / "oracle" / "scores.csv"
    write_csv(other, head, [("milan", "fc", 0, "dogs", "scored")])
    with pytest.raises(UserError, match="which every zoo has"):
        read_run(tmp_path, "net", field)
