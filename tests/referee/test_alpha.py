"""Alpha: chosen by the lift, on images that do not score, and recorded."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.core.yaml_files import load_yaml
from milan_core.exemplars.table import ActivationTable, TableFacts, merge_tables
from milan_core.plan.checks import parse_config
from milan_core.referee.alpha import (
    ALPHAS,
    Chosen,
    choose_alpha,
    drawn_units,
    evenly,
    mined_pairs,
    pairs_of,
    read_alpha,
)
from milan_core.referee.judge import JudgedImages
from milan_core.referee.plan import alpha_judge, choosing, scoring_options
from milan_core.referee.scored import Explanation

IMAGES = 1000


def firing_pairs(share, units=8, seed=0):
    """Units that are strong exactly where a concept is, which shows in `share` of the images."""
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(units):
        c = np.zeros(IMAGES)
        c[rng.permutation(IMAGES)[: round(share * IMAGES)]] = 1
        pairs.append((c + 0.3 * rng.random(IMAGES), c))
    return pairs


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2])
def test_the_share_of_the_concept_is_found(share):
    chosen = choose_alpha(firing_pairs(share), IMAGES, "given")
    assert chosen.alpha == share
    assert dict(chosen.lifts)[share] == pytest.approx(1)
    assert (chosen.units, chosen.images, chosen.judge) == (8, IMAGES, "given")


@pytest.mark.parametrize(("scored", "least"), [(5000, 0.005), (500, 0.01), (100, 0.05)])
def test_alphas_with_too_few_positives_on_either_side_are_left_out(scored, least):
    tried = [alpha for alpha, _ in choose_alpha(firing_pairs(0.1), scored).lifts]
    assert tried == [alpha for alpha in ALPHAS if alpha >= least]
    assert all(math.ceil(alpha * min(scored, IMAGES)) >= 5 for alpha in tried)


def test_without_pairs_the_default_stands_and_says_so():
    assert choose_alpha([], 1000) == Chosen()
    assert choose_alpha(firing_pairs(0.1), 3).alpha == 0.02
    assert "default" in Chosen().sentence()


def test_a_file_gives_its_alpha_back_and_others_are_refused(tmp_path):
    chosen = choose_alpha(firing_pairs(0.1), IMAGES)
    chosen.save(tmp_path / "alpha.json")
    assert read_alpha(tmp_path / "alpha.json") == 0.1
    named = '{"format": "milan-alpha", "version": %d, "alpha": %s}'
    wrong = [named % pair for pair in ((9, "0.1"), (1, "7"), (1, "NaN"), (1, '"x"'), (1, "[]"))]
    for content in ("{}", "[]", "7", *wrong):
        (tmp_path / "other.json").write_text(content)
        with pytest.raises(UserError):
            read_alpha(tmp_path / "other.json")


class Words:
    name, model = "words", "words"

    def __init__(self, presence):
        self.presence, self.asked = presence, set()

    def columns(self, images, texts):
        self.asked |= set(images.ids.tolist())
        columns = [self.presence.get(t, np.full(IMAGES, np.nan))[images.ids] for t in texts]
        return np.stack(columns, 1).astype(np.float32)


def network(heldout):
    pairs = firing_pairs(0.1, units=4)
    a = np.stack([pairs[0][0], pairs[1][0], pairs[2][0], np.zeros(IMAGES)])
    facts = TableFacts(
        model="net", model_hash="h", dataset="d", images=IMAGES, layers=(("a", 4),)
    )  # fmt: skip
    table = ActivationTable(facts, np.arange(IMAGES), heldout, {"max": a.astype(np.float32)})
    return merge_tables([table]), Words({"right": pairs[0][1], "other": pairs[1][1]})


def test_scored_images_dead_units_unread_and_wrong_texts_do_not_choose():
    heldout = np.arange(IMAGES) % 4 == 0
    table, judge = network(heldout)
    said = dict(zip(table.keys, ["right", "right", "unread", "right"], strict=True))
    dataset = SimpleNamespace(fingerprint="d")
    pairs = mined_pairs([table, table], [said, {}], [dataset], judge, 0)
    assert len(pairs) == 1 or all(np.corrcoef(a, c)[0, 1] > 0 for a, c in pairs)
    assert not judge.asked & set(np.flatnonzero(heldout).tolist())
    assert {len(a) for a, _ in pairs} == {750}
    positions = np.flatnonzero(~heldout)
    one = Explanation(table.keys[0], ("right",))
    (only,) = pairs_of(table, positions, JudgedImages(dataset, positions), judge, [one])
    assert np.corrcoef(*only)[0, 1] > 0.9
    assert mined_pairs([table], [said], [SimpleNamespace(fingerprint="e")], judge, 0) == []


def test_units_and_images_that_choose():
    keys = [("a", unit) for unit in range(1000)]
    drawn = drawn_units(keys, 0)
    assert len(drawn) == 50
    assert drawn == sorted(drawn)
    assert drawn != drawn_units(keys, 1)
    assert len(drawn_units(keys[:30], 0)) == 20
    assert drawn_units(keys[:3], 0) == keys[:3]
    np.testing.assert_array_equal(evenly(np.arange(9), 3), [0, 3, 6])
    np.testing.assert_array_equal(evenly(np.arange(2), 3), [0, 1])


def test_a_given_alpha_is_not_chosen(root):
    raw = load_yaml(root / "config/config.yaml")
    config = parse_config(raw)
    assert alpha_judge(config).kind == "oracle"
    assert "resnet_mini" in choosing(config)
    fixed = parse_config({**raw, "referee": {**raw["referee"], "alpha": 0.1}})
    assert (choosing(fixed), scoring_options(fixed).alpha) == ([], 0.1)
    paper = parse_config({**raw, "referee": {"judges": []}})
    assert choosing(paper) == []
    with pytest.raises(UserError, match="alpha"):
        parse_config({**raw, "referee": {**raw["referee"], "alpha": 0.7}})
