"""The control with random weights, on units that are exactly what a judge sees."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import milan_core as milan
from milan_core.core.files import read_csv
from milan_core.exemplars.table import ActivationTable, TableFacts, merge_tables
from milan_core.networks.layouts import Layout
from milan_core.networks.options import InputSpec
from milan_core.networks.zoo import LoadedModel
from milan_core.referee.board import ALL, Place
from milan_core.referee.judge import JudgedImages
from milan_core.referee.options import ScoringOptions
from milan_core.referee.random_weights import BEST, RANDOM, best_of_texts, randomized, sentence

IMAGES = 400


class Given:
    name = model = "given"

    def __init__(self, columns):
        self.shown = columns

    def columns(self, images, texts):
        nothing = np.full(IMAGES, np.nan)
        return np.stack([self.shown.get(t, nothing)[images.ids] for t in texts], 1)


def table_of(a):
    facts = TableFacts(
        model="n", model_hash="h", dataset="d", images=IMAGES, layers=(("a", len(a)),)
    )  # fmt: skip
    one = ActivationTable(facts, np.arange(IMAGES), np.ones(IMAGES, bool), {"max": a})
    return merge_tables([one])


def best(table, images, judge, texts):
    options = ScoringOptions(fewest=20)
    board = best_of_texts(table, np.arange(IMAGES), images, judge, texts, options, 0)
    mean = board.means[Place(BEST, ALL, "correlation")]
    return mean.value, mean.units


def test_the_best_text_is_chosen_and_scored_on_different_images():
    rng = np.random.default_rng(0)
    shown = {f"noise {k}": rng.random(IMAGES).astype(np.float32) for k in range(300)}
    shown["right"] = (rng.random(IMAGES) < 0.3).astype(np.float32)
    a = np.stack([shown["right"] + 1, rng.random(IMAGES), np.zeros(IMAGES)]).astype(np.float32)
    every = np.arange(IMAGES)
    images = JudgedImages(SimpleNamespace(), every)
    judge = Given(shown)
    mean, units = best(table_of(a[:1]), images, judge, [*shown, "unread"])
    assert (round(mean, 3), units) == (1.0, 1)
    mean, units = best(table_of(a[1:]), images, judge, list(shown))
    assert units == 1  # the dead one has none
    assert abs(mean) < 0.2  # the best of 300 by chance does not last on the other half
    mean, units = best(table_of(a), images, judge, ["unread"])
    assert np.isnan(mean)
    assert units == 0


def test_weights_are_drawn_anew_and_the_network_keeps_its_own():
    torch.manual_seed(5)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    module.extra = nn.Parameter(torch.ones(8))
    module[1].running_mean += 7
    before = {name: value.clone() for name, value in module.state_dict().items()}
    state = torch.random.get_rng_state()
    network = LoadedModel(module, InputSpec(), ["0"], [], Layout())
    other, share = randomized(network, 0)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not torch.equal(other.module[0].weight, module[0].weight)
    assert not other.module[1].running_mean.any()
    assert share == pytest.approx((4 * 27 + 4 + 8) / (4 * 27 + 4 + 8 + 8))
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    again, _ = randomized(network, 0)
    assert torch.equal(again.module[0].weight, other.module[0].weight)
    place = Place(BEST, ALL, "correlation")
    boards = [SimpleNamespace(means={place: SimpleNamespace(value=v, units=2)}) for v in (0.5, 0.2)]
    assert "94 % of the weights" in sentence(*boards, share)


class Brightness:
    name = model = "brightness"

    def columns(self, images, texts):
        light = images.dataset.images[images.ids].mean((1, 2, 3)) / 255
        return np.stack([light if t == "light" else 1 - light for t in texts], 1).astype("f4")


def test_every_score_says_what_random_weights_reach(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3), np.uint8)
    module = nn.Sequential(nn.Conv2d(3, 4, 3))
    said = {("0", unit): "light" for unit in range(3)} | {("0", 3): "dark"}
    result = milan.score(
        *(module, pixels, "0", said, Brightness()),
        input=InputSpec(size=None),
        allow_small=True,
        random_weights=True,
        fuzzing=True,
    )
    (note,) = [note for note in result.notes if "random weights" in note]
    assert "(4 units)" in note
    summary = result.summary()
    assert note in summary
    after = summary[summary.index("## The same network with random weights") :]
    for score in ("Correlation", "detection", "discrimination", "cosy auc", "fuzzing"):
        line = next(line for line in after.splitlines() if line.startswith(f"| {score} |"))
        assert len(line.split("|")) == 5, line
    result.save(tmp_path)
    rows = read_csv(tmp_path / "leaderboard.csv")
    models = {row["model"] for row in rows if row["describer"] == BEST}
    assert models == {"Sequential", f"Sequential, {RANDOM}"}
