"""Exact agreement, candidate texts, and what scores make of them."""

import functools

import numpy as np
import pytest

from milan_core.cli import main
from milan_core.referee.judges.zoo import ZooOracle
from milan_core.referee.metrics import METRICS
from milan_core.world.zoo.expressions import parse_expression
from milan_core.world.zoo.facts import Facts, draw_facts
from milan_core.zoo.agreement import information, iou, kappa, presence
from milan_core.zoo.candidates import candidates, scored_units
from milan_core.zoo.published import PUBLISHED, verdicts_at_frequencies
from milan_core.zoo.scores import SCORERS, twin_correlation
from milan_core.zoo.study import JUDGES, SeedScenes, StudyOptions, figures, over_seeds, score_seed

OPTIONS = StudyOptions(seeds=1, images=400, pairs=80, population=800, draws=2)


@pytest.fixture(scope="module")
def seed():
    return score_seed(0, OPTIONS)


def test_kappa_is_cohens_for_yes_and_no():
    rng = np.random.default_rng(0)
    a, c = rng.random(500) < 0.3, rng.random(500) < 0.5
    agree, chance = (a == c).mean(), a.mean() * c.mean() + (1 - a.mean()) * (1 - c.mean())
    expected = (agree - chance) / (1 - chance)
    assert kappa(a.astype(float), c.astype(float)) == pytest.approx(expected)


def test_agreements_of_known_pairs():
    a = np.array([1.0, 1, 0, 0])
    for agreement in (kappa, iou, information):
        assert agreement(a, a) == pytest.approx(1)
    assert kappa(a, np.ones(4)) == 0
    assert information(a, np.ones(4)) == 0
    assert information(a, 1 - a) == pytest.approx(-1)
    assert kappa(a, 1 - a) == pytest.approx(-1)
    assert iou(a, np.array([1.0, 0, 1, 0])) == pytest.approx(1 / 3)


def test_the_oracle_reads_a_units_own_value():
    scenes = draw_facts(300, 4)
    facts, oracle = Facts(scenes), ZooOracle(scenes)
    for unit in scored_units():
        text = oracle.presence([unit.description])[:, 0]
        np.testing.assert_allclose(text, presence(unit.expression, facts), err_msg=str(unit.key))


def test_candidates_of_an_and():
    units = scored_units()
    (unit,) = (one for one in units if str(one.expression) == "and(circle, square)")
    by_role = {}
    for one in candidates(unit, units, 0):
        by_role.setdefault(one.role, []).append(one.text)
    assert by_role["truth"] == ["both circles and squares"]
    assert by_role["part"] == ["circles", "squares", "circles or squares"]
    assert by_role["negation"] == ["no circles or squares"]
    assert by_role["attribute"] == ["both squares and squares", "both circles and triangles"]
    assert by_role["constant"] == ["any scene"]
    assert len(by_role["unrelated"]) == 4
    assert not {"circle", "square"} & set(" ".join(by_role["unrelated"]).split())


def test_every_candidate_is_read():
    oracle, units = ZooOracle(draw_facts(20, 0)), scored_units()
    for unit in units:
        texts = [one.text for one in candidates(unit, units, 1)]
        assert np.isfinite(oracle.presence(texts)).all(), texts


def test_headline_scores_put_the_truth_on_top_and_constants_at_chance(seed):
    scores, _ = seed
    for name in ("correlation", "auprc"):
        found = figures(scores["oracle"], name)
        assert found.best == found.best_graded == 1
        assert abs(found.constant) < 0.1
        assert 0.1 < found.part < 0.9
        assert found.tau["kappa"] > 0.6
    assert figures(scores["oracle"], "recall").constant == pytest.approx(1)


def test_truths_of_yes_no_units_reach_the_ceiling_of_every_score(seed):
    scores = seed[0]["oracle"]
    for name in METRICS:
        assert figures(scores, name).best == 1, name


def test_correlation_and_auprc_pass_both_sanity_tests_recall_and_cosy_fail(seed):
    verdicts = {verdict.metric: verdict for verdict in seed[1]}
    assert set(verdicts) == set(SCORERS)
    assert verdicts["correlation"].both >= 0.95
    assert verdicts["auprc"].both >= 0.95
    assert verdicts["recall"].extra == 0
    assert verdicts["cosy mad"].missing < 0.9


def test_mad_and_recall_fail_as_published_at_the_published_frequencies():
    verdicts = {v.metric: v for v in verdicts_at_frequencies(0, draws=3)}
    assert verdicts["mad"].missing < 0.9
    assert verdicts["precision"].missing == 0
    assert verdicts["recall"].extra == 0
    for name in ("correlation", "auprc", "f1"):
        assert verdicts[name].both == 1, name
    assert set(PUBLISHED) == set(METRICS)


def test_a_noisy_judge_says_the_same_of_a_text_twice():
    scenes = SeedScenes(0, OPTIONS)
    first, again = (scenes.presence("circles", "noisy") for _ in range(2))
    np.testing.assert_array_equal(first, again)
    exact = scenes.presence("circles", "oracle")
    wrong = ((first >= 0.5) != (exact >= 0.5)).mean()
    assert wrong == pytest.approx(OPTIONS.error, abs=0.04)
    assert JUDGES == ("oracle", "noisy")


def test_twin_correlation():
    a = np.array([0.0, 1, -1, 0])
    assert twin_correlation(a, a) == pytest.approx(1)
    assert twin_correlation(a, -a) == pytest.approx(-1)
    assert twin_correlation(a, np.zeros(4)) == 0


def test_interval_over_seeds():
    found = over_seeds([1.0, 2.0, 3.0])
    assert (found.value, found.low) == (2, pytest.approx(2 - 4.3027 / np.sqrt(3), abs=1e-3))


def test_the_command_replaces_the_tables_of_a_page(tmp_path, capsys, monkeypatch):
    small = functools.partial(StudyOptions, population=600, pairs=40, draws=2)
    monkeypatch.setattr("milan_core.zoo.study.StudyOptions", small)
    monkeypatch.setattr("milan_core.zoo.published.verdicts_at_frequencies", lambda seed: [])
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- scores -->\nold\n<!-- end of scores -->\nafter\n")
    assert main(["zoo", "score", "--seeds", "1", "--scenes", "100", "--page", str(page)]) == 0
    text = page.read_text()
    assert text.startswith("before\n<!-- scores -->\n71 units")
    assert text.endswith("<!-- end of scores -->\nafter\n")
    assert "old" not in text
    page.write_text("nothing here")
    assert main(["zoo", "score", "--page", str(page)]) == 2
    assert "<!-- scores -->" in capsys.readouterr().err
    assert main(["zoo", "score", "--page", str(tmp_path / "no.md")]) == 2
    assert main(["zoo", "score", "--seeds", "0"]) == 2


def test_expressions_of_scored_units_are_distinct():
    texts = [str(unit.expression) for unit in scored_units()]
    assert len(set(texts)) == len(texts) == 71
    assert parse_expression(texts[0]) == scored_units()[0].expression
