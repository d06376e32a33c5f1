"""The mini judge in CLIP's place, by a judge whose probabilities are given."""

from types import SimpleNamespace

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.core.yaml_files import load_yaml
from milan_core.describers.backends.judge import LOGIT, JudgeReranker, cell_shares, similarity
from milan_core.describers.plan import judge_labels, label_names, varied
from milan_core.describers.units import UnitImages
from milan_core.plan.checks import parse_config
from milan_core.referee.plan import judge_readers

TEXTS = ["dog", "thing"]


class GivenJudge:
    """Evidence of text t in cell c of an image is the value of pixel c in channel t, by 50."""

    name, model = "given", "given"

    def look(self, pixels):
        return pixels.reshape(len(pixels), -1, 3).astype(np.float16) / 50

    def embed_texts(self, texts):
        return np.array([TEXTS.index(text) for text in texts])

    def presences(self, vectors, texts, shares=None):
        weights = np.ones(vectors.shape[:2]) if shares is None else shares
        evidence = (vectors[:, :, texts] * weights[:, :, None]).sum(1)
        return (1 - np.exp(-evidence)).astype(np.float32)

    def columns(self, images, texts):
        vectors = self.look(np.asarray(images.dataset.images))
        return self.presences(vectors, self.embed_texts(texts))


def unit(dog, thing, masked, ids=None):
    """One image of two by two cells; the mask covers the given cells."""
    pixels = np.zeros((1, 2, 2, 3), np.uint8)
    pixels[0, ..., 0], pixels[0, ..., 1] = np.reshape(dog, (2, 2)), np.reshape(thing, (2, 2))
    return UnitImages(pixels, np.reshape(masked, (1, 2, 2)).astype(bool), ids)


UNITS = [
    unit([100, 0, 0, 0], [50, 50, 50, 50], [1, 0, 0, 0]),
    unit([0, 0, 0, 0], [50, 50, 50, 50], [0, 0, 0, 0]),
]


def by_hand(evidence, typical):
    return (np.log(np.maximum(1 - np.exp(-evidence), 1e-3)) - np.log(typical)) / LOGIT


def test_beams_follow_how_much_more_a_text_shows_than_in_other_units():
    ranked = JudgeReranker(GivenJudge(), weight=0.25).rerank(UNITS, [["thing", "dog"]] * 2)
    typical = {"dog": (1 - np.exp(-2)) / 2, "thing": 1 - np.exp(-4)}
    first, second = ranked
    assert first.texts == ["dog", "thing"]  # the vague text is more present, but everywhere
    np.testing.assert_array_equal(first.order, [1, 0])
    expected = [by_hand(2, typical["dog"]), by_hand(1, typical["thing"])]
    np.testing.assert_allclose(first.masked, expected, rtol=1e-3)
    expected = [by_hand(2, typical["dog"]), by_hand(4, typical["thing"])]
    np.testing.assert_allclose(first.unmasked, expected, rtol=1e-3, atol=1e-6)
    mix = 0.75 * first.masked + 0.25 * first.unmasked
    np.testing.assert_allclose(first.similarity, mix, rtol=1e-6)
    assert second.texts == ["thing", "dog"]
    assert not second.masked.any()  # without a mask the whole image alone decides


def test_vectors_that_were_kept_are_read_by_number(tmp_path):
    from milan_core.referee.seen import look

    class Keeping(GivenJudge):
        def vectors(self, images):
            return self.look(np.asarray(images.dataset.images))

        def remember(self, fingerprint, vectors):
            raise AssertionError("not asked")

    class Blind(Keeping):
        def look(self, pixels):
            raise AssertionError("looked although the vectors are there")

    class Set(SimpleNamespace):
        def __len__(self):
            return len(self.images)

    class Listed(list):
        dataset = "f"

    images = np.concatenate([one.images for one in UNITS])
    look(Keeping(), Set(images=images, fingerprint="f"), tmp_path / "seen.safetensors")
    numbered = Listed(one._replace(ids=np.array([k])) for k, one in enumerate(UNITS))
    beams = [["thing", "dog"]] * 2
    plain = JudgeReranker(GivenJudge(), weight=0.5).rerank(UNITS, beams)
    kept = JudgeReranker(Blind(), weight=0.5, seen=tmp_path / "seen.safetensors")
    for one, other in zip(plain, kept.rerank(numbered, beams), strict=True):
        np.testing.assert_array_equal(one.similarity, other.similarity)
    with pytest.raises(AssertionError, match="looked although"):
        kept.rerank(UNITS, beams)  # images of another data set
    with pytest.raises(UserError, match="got 1 beams for 2 units"):
        kept.rerank(numbered, beams[:1])


def test_words_are_compared_with_their_mean_over_images():
    class Set(SimpleNamespace):
        def __len__(self):
            return len(self.images)

    images = Set(images=np.concatenate([one.images for one in UNITS]))
    got = similarity(GivenJudge(), images, ["dog"])
    present = 1 - np.exp(-2)
    expected = (np.log([present, 1e-3]) - np.log(present / 2)) / LOGIT
    np.testing.assert_allclose(got[:, 0], expected, rtol=1e-3)


def test_shares_of_cells():
    mask = np.zeros((1, 4, 4), bool)
    mask[0, :2, 0] = mask[0, 3, 3] = True
    np.testing.assert_allclose(cell_shares(mask, 2), [[0.5, 0, 0, 0.25]])


def test_readers_of_the_judge_are_left_out_where_none_is_trained(root):
    raw = load_yaml(root / "config/config.yaml")
    config = parse_config(raw)
    assert judge_labels(config)
    assert judge_readers(config, "resnet_mini") == [
        *("clip_dissect", "clip_rerank", "pool", "linear")
    ]
    assert judge_readers(config, "vit_mini") == ["pool", "linear"]
    without = parse_config({**raw, "referee": {"judges": [{"kind": "oracle"}], "random": None}})
    assert label_names(without) == ["netdissect", "compexp", "invert"]
    assert varied(without) == []
    assert judge_readers(without, "resnet_mini") == []
    section = {**raw["baselines"], "clip_dissect": {"judge": True, "path": "models/clip"}}
    own = parse_config({**raw, "baselines": section})
    assert not judge_labels(own)  # a CLIP of the user's own comes first
