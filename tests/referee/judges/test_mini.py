"""The mini judge, trained in seconds on drawn shapes."""

import json
import shutil

import numpy as np
import pytest
import torch
from datasets_made import build_dataset
from judges_made import small_encoder

from milan_core.core.errors import UserError
from milan_core.core.step import Compute
from milan_core.referee.judge import JudgedImages, JudgeResources, load_judge
from milan_core.referee.judges.maps import Maps
from milan_core.referee.judges.mini import RECORD, WEIGHTS, folder_model
from milan_core.referee.judges.oracle import Judge as Oracle
from milan_core.referee.judges.training import phrases_of
from milan_core.referee.metrics import auc
from milan_core.referee.options import MiniOptions, MiniTraining
from milan_core.referee.step import TrainJudge

COLORS = ["red areas", "blue areas", "green areas", "yellow areas"]
OPTIONS = MiniTraining(scenes=600, width=32, steps=300, batch=64, rate=1e-2)
BRIEF = MiniTraining(scenes=100, grid=4, width=8, steps=5, batch=16)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    return [
        build_dataset(f"s{seed}", {"kind": "shapes", "count": n}, {}, folder / f"{seed}", seed)
        for seed, n in ((1, 600), (2, 120))
    ]


def step(dataset, out, seed=0, options=OPTIONS):
    return TrainJudge(
        encoder=small_encoder(), dataset=dataset.folder, options=options, seed=seed, judge=out
    )


@pytest.fixture(scope="module")
def trained(scenes, tmp_path_factory):
    out = tmp_path_factory.mktemp("judge") / "judge"
    facts = step(scenes[0], out).run(Compute())
    assert facts["scenes"] == 600
    return out


def load(folder):
    return load_judge(MiniOptions(), JudgeResources(folder=folder))


def test_it_tells_colors_of_unseen_scenes(scenes, trained):
    images = JudgedImages(scenes[1], np.arange(120))
    ours, truth = load(trained).columns(images, COLORS), Oracle().columns(images, COLORS)
    assert ours.min() >= 0
    assert ours.max() <= 1
    areas = [auc(ours[:, k], truth[:, k] > 0) for k in range(len(COLORS))]
    assert np.mean(areas) > 0.75


def test_same_text_same_column_in_any_company_and_order_of_images(scenes, trained):
    judge, images = load(trained), JudgedImages(scenes[1], np.arange(120))
    many = judge.columns(images, [f"{i} things" for i in range(70)] + COLORS)
    alone = judge.columns(images, COLORS[2:3])
    np.testing.assert_array_equal(many[:, 72], alone[:, 0])
    few = judge.columns(JudgedImages(scenes[1], np.arange(30, 50)), COLORS)
    np.testing.assert_allclose(few, many[30:50, 70:], atol=2e-3)


def test_presences_of_vectors_are_the_columns(scenes, trained):
    judge, images = load(trained), JudgedImages(scenes[1], np.arange(20))
    columns, texts = judge.columns(images, COLORS), judge.embed_texts(COLORS)
    vectors = judge.look(np.asarray(scenes[1].images[:20]))
    np.testing.assert_array_equal(vectors, judge.vectors(images))
    np.testing.assert_allclose(judge.presences(vectors, texts), columns, atol=1e-6)
    whole = np.ones(vectors.shape[:2], np.float32)
    np.testing.assert_allclose(judge.presences(vectors, texts, whole), columns, atol=1e-6)
    left = np.zeros_like(whole)
    assert not judge.presences(vectors, texts, left).any()
    assert folder_model(trained) == judge.model


def test_presence_is_a_noisy_or_over_positions():
    rng = np.random.default_rng(0)
    images, texts = rng.normal(size=(3, 5, 4)), rng.normal(size=(2, 4))
    images /= np.linalg.norm(images, axis=2, keepdims=True)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    none = torch.zeros(0)
    maps = Maps([], [], [], [], none, none, scale=7.0, bias=-2.0)
    got = 1 - np.exp(-maps.evidence(torch.tensor(images), torch.tensor(texts)).numpy())
    absent = 1 - 1 / (1 + np.exp(-(7 * images @ texts.T - 2)))
    np.testing.assert_allclose(got, 1 - absent.prod(1), rtol=1e-6)


def test_a_seed_gives_its_bytes_again_and_another_seed_others(scenes, tmp_path):
    bytes_of = []
    for name, seed in (("one", 0), ("again", 0), ("other", 1)):
        step(scenes[0], tmp_path / name, seed, BRIEF).run(Compute())
        bytes_of.append((tmp_path / name / WEIGHTS).read_bytes())
    assert bytes_of[0] == bytes_of[1]
    assert bytes_of[0] != bytes_of[2]
    assert load(tmp_path / "other").model != load(tmp_path / "one").model


def test_phrases_have_the_oracles_labels_and_none_is_everywhere(scenes):
    learned = phrases_of(scenes[0], np.arange(60))
    share = learned.labels.mean(0)
    assert (share > 0).all()
    assert (share < 1).all()
    texts = ["red", "red areas"]
    truth = Oracle().columns(JudgedImages(scenes[0], np.arange(60)), texts)
    for place, text in enumerate(texts):
        column = learned.labels[:, learned.texts.index(text)]
        np.testing.assert_array_equal(column, truth[:, place])


def test_changed_files_are_refused(trained, tmp_path):
    damaged = shutil.copytree(trained, tmp_path / "damaged")
    content = bytearray((damaged / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (damaged / WEIGHTS).write_bytes(content)
    with pytest.raises(UserError, match="differs from its record"):
        load(damaged)
    other = shutil.copytree(trained, tmp_path / "other")
    record = json.loads((other / RECORD).read_text())
    record["encoder"]["spec"]["model"]["weights"]["seed"] = 4
    (other / RECORD).write_text(json.dumps(record))
    with pytest.raises(UserError, match="network of images differ"):
        load(other)
    record["encoder"]["spec"]["model"]["factory"] = "evil:build"
    (other / RECORD).write_text(json.dumps(record))
    with pytest.raises(UserError, match="did not come with this package"):
        load(other)
    with pytest.raises(UserError, match="give the folder of a trained one"):
        load_judge(MiniOptions(), JudgeResources())


def test_coarse_maps_are_repeated_after_the_linear_map():
    rng = torch.Generator().manual_seed(0)
    coarse, fine = torch.randn(2, 4, 3, generator=rng), torch.randn(2, 16, 5, generator=rng)
    weights = [torch.randn(6, n, generator=rng) for n in (3, 5)]
    zeros, none = [torch.zeros(6)] * 2, torch.zeros(0)
    moments = [torch.zeros(3), torch.zeros(5)], [torch.ones(3), torch.ones(5)]
    maps = Maps(*moments, weights, zeros, none, none, scale=1.0, bias=0.0)
    cells = [[(row // 2) * 2 + column // 2 for column in range(4)] for row in range(4)]
    repeated = coarse[:, np.ravel(cells)]
    expected = repeated @ weights[0].T + fine @ weights[1].T
    expected = expected / expected.norm(dim=2, keepdim=True)
    torch.testing.assert_close(maps.of_images([coarse, fine]), expected)
