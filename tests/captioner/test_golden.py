"""The captioner against numbers made by the published code (golden data, specification 9)."""

import json

import numpy as np
import pytest
from paths import TESTS

from milan_core.captioner.checkpoint import load_captioner
from milan_core.captioner.release import language_model_from_release, read_release
from milan_core.core.errors import UserError

GOLDEN = TESTS / "data/golden/decoder"
REQUESTS = {
    "greedy": {"strategy": "greedy", "mi": False},
    "greedy_mi": {"strategy": "greedy", "mi": True},
    "beam": {"strategy": "beam", "mi": False},
    "beam_mi": {"strategy": "beam"},
    "rerank": {"strategy": "rerank"},
}


@pytest.fixture(scope="module")
def expected():
    return json.loads((GOLDEN / "expected.json").read_text())


@pytest.fixture(scope="module")
def features():
    with np.load(GOLDEN / "features.npz") as data:
        return data["features"]


@pytest.fixture(scope="module")
def captioner():
    return load_captioner(GOLDEN / "decoder.pth")


def check(out, expected):
    assert out.captions == expected["captions"]
    assert out.tokens.tolist() == expected["tokens"]
    np.testing.assert_allclose(out.scores, expected["scores"], atol=1e-3, rtol=0)
    if "beam_tokens" in expected:
        assert out.beam_captions == expected["beam_captions"]
        assert out.beam_tokens.tolist() == expected["beam_tokens"]
        np.testing.assert_allclose(out.beam_scores, expected["beam_scores"], atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", REQUESTS)
def test_legacy_decoding(captioner, features, expected, name):
    check(captioner.decode(features, legacy=True, **REQUESTS[name]), expected[name])


@pytest.mark.parametrize("name", ["greedy", "greedy_mi", "beam", "beam_mi"])
def test_the_default_differs_in_rerank_only(captioner, features, expected, name):
    check(captioner.decode(features, **REQUESTS[name]), expected[name])


def test_legacy_rerank_adds_one_term_per_finished_beam(captioner, features):
    fixed = captioner.decode(features)
    legacy = captioner.decode(features, legacy=True)
    np.testing.assert_array_equal(fixed.beam_tokens, legacy.beam_tokens)
    extra = legacy.beam_logp_lm - fixed.beam_logp_lm
    stop = captioner.tokenizer.vocabulary.stop
    early = (fixed.beam_tokens[..., :-1] == stop).any(-1)
    np.testing.assert_allclose(extra[~early], 0, atol=1e-5)
    assert (extra[early] < 0).all()


def test_steps_of_greedy(captioner, features):
    out = captioner.decode(features, strategy="greedy", mi=False, details=True)
    with np.load(GOLDEN / "greedy_predictions.npz") as golden:
        np.testing.assert_allclose(out.predictions, golden["predictions"], atol=1e-4, rtol=0)
        np.testing.assert_allclose(out.attentions, golden["attentions"], atol=1e-4, rtol=0)


@pytest.mark.parametrize(("name", "mi"), [("score_ll", False), ("score_mi", True)])
def test_forced_scores(captioner, features, expected, name, mi):
    found = captioner.score(expected[name]["captions"], features, mi=mi)
    np.testing.assert_allclose(found, expected[name]["scores"], atol=1e-3, rtol=0)


def test_language_model_alone_and_inside(captioner, expected):
    alone = language_model_from_release(read_release(GOLDEN / "lm.pth"))
    texts, scores = expected["lm_logp"]["captions"], expected["lm_logp"]["scores"]
    for model in (captioner.language_model, alone):
        np.testing.assert_allclose(model.logp(texts, legacy=True), scores, atol=1e-3, rtol=0)


def test_language_model_legacy_is_one_pad_term_for_all_but_the_longest(captioner, expected):
    texts = expected["lm_logp"]["captions"]
    lengths = np.array([len(captioner.tokenizer.encode(text)) for text in texts])
    model = captioner.language_model
    extra = model.logp(texts, legacy=True) - model.logp(texts)
    np.testing.assert_allclose(extra[lengths == lengths.max()], 0, atol=1e-5)
    assert (extra[lengths < lengths.max()] < -1e-3).all()


def test_release_carries_the_encoder_and_published_options(captioner):
    assert captioner.meta["encoder"]["config"] == "resnet18"
    assert captioner.meta["defaults"]["strategy"] == "rerank"
    assert not captioner.training
    assert read_release(GOLDEN / "decoder.pth").encoder_state() == {}


def test_products_in_bfloat16(captioner, features):
    """Three digits: what is said of most units stays, and log-probabilities move in the third."""
    ids = captioner.decode(features, "greedy", mi=False).tokens
    exact = captioner.decode(features, "forced", targets=ids, mi=False)
    rough = captioner.decode(features, "forced", targets=ids, mi=False, precision="bfloat16")
    assert not np.array_equal(exact.predictions, rough.predictions)
    np.testing.assert_allclose(rough.logp, exact.logp, rtol=2e-2, atol=2e-2)
    np.testing.assert_allclose(rough.attentions, exact.attentions, atol=2e-2)
    found = captioner.decode(features, precision="bfloat16")
    pairs = zip(found.captions, captioner.decode(features).captions, strict=True)
    assert np.mean([a == b for a, b in pairs]) >= 0.8
    assert found.logp.dtype == np.float32
    with pytest.raises(UserError, match="did you mean 'bfloat16'"):
        captioner.decode(features, precision="bfloat1")
