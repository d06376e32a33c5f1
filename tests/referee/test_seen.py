"""What a judge sees in images is kept once, and never taken by another judge."""

from types import SimpleNamespace

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.referee.seen import look, recall, seen_of


class Images(SimpleNamespace):
    fingerprint = "d"

    def __len__(self):
        return 5


class Judge:
    name = "fake"

    def __init__(self, model="one"):
        self.model, self.kept, self.looked = model, {}, 0

    def vectors(self, images):
        self.looked += 1
        return images.ids[:, None].astype(np.float16) * np.ones((1, 3), np.float16)

    def remember(self, fingerprint, vectors):
        self.kept[fingerprint] = vectors


def test_vectors_of_all_images_come_back(tmp_path):
    judge = Judge()
    look(judge, Images(), tmp_path / "seen")
    recall(judge, tmp_path / "seen")
    np.testing.assert_array_equal(judge.kept["d"], np.arange(5)[:, None].repeat(3, 1))
    assert judge.looked == 1


def test_another_judge_and_one_without_vectors_are_refused(tmp_path):
    look(Judge(), Images(), tmp_path / "seen")
    with pytest.raises(UserError, match="what judge one saw, and this one is two"):
        recall(Judge("two"), tmp_path / "seen")
    oracle = SimpleNamespace(name="oracle", model="oracle")
    with pytest.raises(UserError, match="keeps nothing"):
        look(oracle, Images(), tmp_path / "seen")
    with pytest.raises(UserError, match="this one is oracle"):
        recall(oracle, tmp_path / "seen")


def test_images_that_the_judge_has_not_seen_are_refused():
    vectors = np.arange(6, dtype=np.float16).reshape(3, 2, 1)
    np.testing.assert_array_equal(seen_of(vectors, np.array([2, 0])), vectors[[2, 0]])
    with pytest.raises(UserError, match="has seen 3 images of the data set, and image 52"):
        seen_of(vectors, np.array([1, 52]))
