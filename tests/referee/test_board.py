"""Leaderboards: means, paired differences, counts that add up, several networks."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.describers.abstention.options import ANSWERED
from milan_core.exemplars.table import ActivationTable, TableFacts, merge_tables
from milan_core.referee import blocks, score
from milan_core.referee.board import ALL, COLUMNS, Mean, Place, load_board
from milan_core.referee.board_means import make_board, over_units, pooled, unit_resamples
from milan_core.referee.leaderboard import joined_sanity, long_rows, over_networks
from milan_core.referee.network import distinct, prepare, score_prepared
from milan_core.referee.options import ScoringOptions
from milan_core.referee.said import TRIVIAL, explanations, read_said, trivial
from milan_core.referee.scored import Explanation
from milan_core.referee.section import _differences, referee_section, summary_rows
from milan_core.scoring.tables import Truth

IMAGES = 600
WORDS = ["dog", "sky", "red", "text"]


class FakeJudge:
    name, model = "fake", "fake-1"

    def __init__(self, presence):
        self._presence = presence

    def columns(self, images, texts):
        nothing = np.full(len(images), 0.5)
        columns = [
            self._presence[images.ids, WORDS.index(t)] if t in WORDS else nothing for t in texts
        ]
        return np.stack(columns, 1).astype(np.float32)


def network(seed, heldout=True, units=8, models=None, parts=None):
    """Units that follow words 0, 1, 2, 3, 0, ...; the last is dead."""
    rng = np.random.default_rng(seed)
    presence = (rng.random((IMAGES, len(WORDS))) < 0.3).astype(float)
    a = np.stack([presence[:, u % 4] + 0.5 * rng.random(IMAGES) for u in range(units)])
    a[-1] = 0
    facts = TableFacts(
        model=f"net{seed}", model_hash="h", dataset="d", images=IMAGES,
        layers=(("a", units // 2), ("b", units - units // 2)),
    )  # fmt: skip
    apart = np.full(IMAGES, heldout)
    table = ActivationTable(facts, np.arange(IMAGES), apart, {"max": a.astype(np.float32)})
    keys = table.keys
    right = {key: WORDS[row % 4] for row, key in enumerate(keys)}
    wrong = {key: WORDS[(row + 1) % 4] for row, key in enumerate(keys)} | {keys[0]: ""}
    truth = {key: Truth(word, "object", 1.0, 15, True, (word,)) for key, word in right.items()}
    judge = FakeJudge(presence)
    options = ScoringOptions(resamples=40, alpha=0.3)
    args = (merge_tables([table]), SimpleNamespace(), judge)
    listed = {key: Explanation(key, (text, "nothing"), (0.5, 2.0)) for key, text in right.items()}
    said = {"milan": wrong, "better": right}
    prepared = prepare(*args, said, truth, options, 0, models, {"listed": listed})
    return score_prepared(prepared, 0, parts(prepared) if parts else None)


def test_a_describer_that_reads_the_judge_has_rows_without_scores(tmp_path):
    apart = network(1, models={"better": "fake-1"})
    other = network(1, models={"better": "another"})
    board = apart.board
    means = [board.means[Place("better", ALL, score)] for score in ("correlation", "auprc")]
    assert all(np.isnan(mean.value) and mean.units == 0 for mean in means)
    assert board.counts["better", ALL] == (8, 0, 8)
    statuses = {row.status for row in apart.scores["better"].rows}
    assert statuses == {"own judge", "dead"}
    named = {row[0]: row[COLUMNS.index("note")] for row in board.rows()}
    assert "only others score it" in named["better"]
    assert named["milan"] == ""
    # it does not change what stands beside: the same as by a judge that may score it
    for place, mean in other.board.means.items():
        if place.describer != "better":
            np.testing.assert_equal(mean.value, board.means[place].value)
    assert apart.sanity_rows() == other.sanity_rows()
    board.save(tmp_path / "b.safetensors")
    joined = over_networks([load_board(tmp_path / "b.safetensors")], "")[0]
    assert joined.note("better")
    assert summary_rows(joined, {})[1]["note"] == joined.note("better")


@pytest.fixture(scope="module")
def one():
    return network(1)


def test_weighted_texts_stand_beside_the_others_and_are_no_presence(one):
    names = one.board.describers
    assert names[:3] == ["milan", "better", "listed"]
    listed, better = (
        one.board.means[Place(name, ALL, "correlation")].value for name in ("listed", "better")
    )
    assert listed == pytest.approx(better), "a text that is nowhere adds nothing"
    rows = [row for row in one.rows() if row[0] == "listed"]
    assert {row[4] for row in rows} == {"scored", "dead"}
    assert all(cell == "" for row in rows for cell in row[11:]), "no scores of presence"


def test_better_describers_lead_and_trivial_ones_are_at_chance(one):
    board = one.board
    lead = board.means[Place("better", ALL, "correlation")]
    assert lead.value > 0.8
    assert lead.intervals()[1].low > 0.5
    assert (lead.units, lead.both) == (7, 6)  # the dead one; and the one where milan abstains
    constant = board.means[Place("constant", ALL, "correlation")]
    assert constant.value == 0
    assert board.means[Place("constant", ALL, "auprc")].value == pytest.approx(0)
    truth = board.means[Place("truth", ALL, "correlation")]
    assert truth.value == lead.value


def test_scores_for_comparison_have_intervals_over_units_and_differences(one):
    mean = one.board.means[Place("better", ALL, "f1")]
    own, lead = mean.intervals()
    values = [row.others["f1"] for row in one.scores["better"].rows if row.others]
    assert own.value == pytest.approx(np.mean(values))
    assert own.low <= own.value <= own.high
    assert lead.low > 0.3  # the right texts against wrong ones
    assert np.isnan(one.board.means[Place("milan", ALL, "f1")].intervals()[1].value)
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        drawn = over_units(rng.normal(2, 1, 40), unit_resamples(40, 200)).drawn
        low, high = np.quantile(drawn, [0.025, 0.975])
        hits += low <= 2 <= high
    assert hits / 200 > 0.88
    without = over_units(np.array([np.nan, 1.0, 3.0]), unit_resamples(3, 50))
    assert (without.value, without.units) == (2, 2)


def test_counts_add_up(one):
    for (name, layer), counts in one.board.counts.items():
        scored = one.board.means[Place(name, layer, "correlation")].units
        assert scored + counts.abstained + counts.unscored == counts.units, (name, layer)
    assert one.board.counts["milan", ALL] == (8, 1, 1)
    assert one.board.counts["milan", "a"] == (4, 1, 0)
    assert {row[1:4] == [] for row in one.rows()} == {False}
    assert len(one.rows()) == 8 * (3 + len(TRIVIAL) + 1)


def test_a_board_survives_its_file(one, tmp_path):
    one.board.save(tmp_path / "board")
    read = load_board(tmp_path / "board")
    assert list(read.rows()) == list(one.board.rows())
    assert len(next(read.rows())) == len(COLUMNS)


def test_several_networks_are_weighted_by_their_units(one):
    other = network(2, units=16)
    joined = pooled([one.board, other.board], {"model": "all", "judge": "fake", "heldout": True})
    place = Place("better", ALL, "correlation")
    parts = [one.board.means[place], other.board.means[place]]
    units = np.array([part.units for part in parts])
    expected = float(np.average([part.value for part in parts], weights=units))
    assert joined.means[place].value == pytest.approx(expected)
    drawn = np.average([part.drawn for part in parts], axis=0, weights=units)
    np.testing.assert_allclose(joined.means[place].drawn, drawn)
    assert joined.counts["better", ALL].units == 24


def test_a_network_with_random_weights_is_beside_and_not_in_the_mean(one):
    random = network(3)
    over = over_networks([one.board, random.board], "net3")
    assert [board.facts.model for board in over] == ["all networks"]
    place = Place("better", ALL, "correlation")
    assert over[0].means[place].value == pytest.approx(one.board.means[place].value)


@pytest.mark.parametrize("heldout", [True, False])
def test_the_section_says_what_may_be_believed(heldout):
    result = network(4, heldout=heldout)
    over = over_networks([result.board], "")
    names = {"milan": "MILAN", "better": "Better"}
    rows = [row for board in (*over, result.board) for row in summary_rows(board, names)]
    table = [
        {name: str(value) for name, value in zip(
            ("metric", "missing", "extra", "both", "units"), row, strict=True)}
        for row in result.sanity_rows()
    ]  # fmt: skip
    verdicts = joined_sanity(["fake"], [table])
    section = referee_section(over, rows, verdicts, names, "")
    text = " ".join(section.paragraphs)
    assert "Clearly better: Better" in text
    assert "chose the units" not in text
    assert "predicts nothing: it counts as 0" in section.items[0].caption
    answered = [replace(b, means=dict(b.means), counts=dict(b.counts)) for b in over]
    for board in answered:
        board.counts[ANSWERED, ALL] = board.counts["better", ALL]
        for name in ("correlation", "auprc"):
            board.means[Place(ANSWERED, ALL, name)] = board.means[Place("better", ALL, name)]
    chosen = " ".join(referee_section(answered, rows, verdicts, names, "").paragraphs)
    assert "a test on these very images chose the units" in chosen
    assert "after Holm's adjustment" in text
    assert "shown to no describer" in text if heldout else "too good" in text
    assert "pass both sanity tests" in text
    failing = [{**row, "both": 0.5} for row in verdicts]
    text = " ".join(referee_section(over, rows, failing, names, "").paragraphs)
    assert "Warning: correlation by fake passes both sanity tests on 50% of units" in text
    nearly = [{**row, "both": 0.896} for row in verdicts]
    text = " ".join(referee_section(over, rows, nearly, names, "").paragraphs)
    assert "on 89.6% of units only (expected 90%)" in text
    untested = [{**row, "both": float("nan"), "units": 0} for row in verdicts]
    text = " ".join(referee_section(over, rows, untested, names, "").paragraphs)
    assert "correlation by fake could be tested on no unit" in text
    assert "pass both sanity tests" not in text
    text = " ".join(referee_section(over, rows, [], names, "").paragraphs)
    assert "No sanity test was run" in text
    assert "pass both sanity tests" not in text
    assert long_rows(over)


def lead_of(value: float, spread: float) -> Mean:
    drawn = value + spread * np.array([-1.0, 1.0] * 100)
    return Mean(value, 9, drawn, value, 9, drawn)


def test_leads_are_clear_by_p_adjusted_over_all_describers_of_a_judge():
    alone = _differences({"a": lead_of(0.022, 0.01)})["a"]
    assert alone.low > 0
    assert alone.p == pytest.approx(0.0278, abs=1e-4)  # 2.2 deviations
    assert alone.side == 1
    beside = {name: lead_of(0.001, 0.01) for name in "bcd"}
    among = _differences({"a": lead_of(0.022, 0.01), **beside})
    assert among["a"].adjusted == pytest.approx(4 * alone.p)
    assert {one.side for one in among.values()} == {0}
    assert _differences({"a": lead_of(-0.1, 0.01)})["a"].side == -1
    assert _differences({"a": lead_of(0.1, 0)})["a"].side == 0, "no spread, no test"


def test_a_resample_without_a_unit_takes_no_p_away():
    """Where the few units of a describer fire on no image of it, it has no lead there."""
    lead = lead_of(0.022, 0.01)
    drawn = np.append(lead.lead_drawn, np.nan)
    found = _differences({"a": replace(lead, drawn=drawn, lead_drawn=drawn)})["a"]
    assert found == _differences({"a": lead})["a"]
    assert found.side == 1


def test_texts_of_other_units_stay_in_their_layer():
    keys = [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)]
    said = {"milan": {key: f"{key}" for key in keys}}
    others = trivial(said, keys, 0)["other_unit"]
    assert all(others[key] != said["milan"][key] for key in keys)
    assert sorted(others.values()) == sorted(said["milan"].values())
    assert all(others[key].startswith(f"('{key[0]}'") for key in keys)
    assert trivial({"milan": dict.fromkeys(keys, "")}, keys, 0) == {}


def test_describers_are_read_by_name(tmp_path):
    main, variant, methods = (tmp_path / name for name in ("m.csv", "v.csv", "t.csv"))
    main.write_text("layer,unit,description\na,0,dog\na,1,\n")
    variant.write_text("layer,unit,description\na,0,cat\n")
    methods.write_text("method,layer,unit,description\npmi,a,0,dog\npmi,a,1,\ngreedy,a,0,sky\n")
    said = read_said(main, ["clip"], [variant], [methods])
    assert list(said) == ["milan", "clip", "greedy"]
    rows = explanations(said["clip"], [("a", 0), ("a", 1)])
    assert [row.texts for row in rows] == [("cat",), ()]
    with pytest.raises(UserError, match="given twice"):
        read_said(main, ["milan"], [variant], [])
    variant.write_text("method,layer,unit,description\ngreedy,a,0,sky\ngreedy,a,1,\n")
    for files in ([methods, variant], [variant, methods]):  # one lacks a unit that shows nothing
        assert read_said(main, [], [], files)["greedy"] == {("a", 0): "sky", ("a", 1): ""}
    variant.write_text("method,layer,unit,description\ngreedy,a,0,sea\n")
    with pytest.raises(UserError, match="another text for a unit"):
        read_said(main, [], [], [methods, variant])


def test_too_few_images_are_refused():
    table = ActivationTable(
        TableFacts(model="m", model_hash="h", dataset="d", images=3, layers=(("a", 1),)),
        np.arange(3), np.ones(3, bool), {"max": np.ones((1, 3), np.float32)},
    )  # fmt: skip
    with pytest.raises(UserError, match="3 images to score on, expected 500 or more"):
        prepare(
            *(merge_tables([table]), SimpleNamespace(), FakeJudge(np.ones((3, 4))), {"milan": {}}),
            *({}, ScoringOptions(), 0),
        )


def test_a_board_needs_no_score_of_the_main_describer():
    result = network(5)
    scores = {"milan": result.scores["milan"]}
    assert make_board({"model": "m", "judge": "j", "heldout": True}, scores).describers == ["milan"]


@pytest.mark.parametrize("texts", [1, 2, 5, 100])
def test_scores_in_blocks_are_those_of_one_job(monkeypatch, tmp_path, texts):
    """Whatever order blocks are made in, and in however many jobs."""
    monkeypatch.setattr(score, "BLOCK", 4 * IMAGES * texts)

    def parts(prepared):
        every, counts = distinct(prepared.judged), set()
        made = {}
        for numbers in (slice(1, None, 2), slice(0, None, 2)):  # as two jobs do
            work = blocks.scoring(prepared.bench, every)
            counts.add(work.count)
            made |= {n: work.make(n) for n in list(range(work.count))[numbers]}
        assert counts == {len(made)}
        assert len(made) > 1 or texts == 100
        return [blocks.read_scores(made[number]) for number in sorted(made)]

    whole, joined = network(3), network(3, parts=parts)
    assert list(map(str, joined.rows())) == list(map(str, whole.rows()))
    assert str(joined.sanity_rows()) == str(whole.sanity_rows())
    whole.board.save(tmp_path / "whole")
    joined.board.save(tmp_path / "joined")
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "joined").read_bytes()
