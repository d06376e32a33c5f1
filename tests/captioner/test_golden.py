"""The captioner against numbers made by the published code (golden data, specification 9)."""

import json

import numpy as np
import pytest
import torch
from paths import TESTS

from milan_core.captioner.checkpoint import load_captioner
from milan_core.captioner.release import language_model_from_release, read_release
from milan_core.captioner.search import beam_search, rescored
from milan_core.captioner.stepping import Stepper
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


@pytest.mark.parametrize("mi", [False, True])
def test_beams_found_in_bfloat16_are_scored_in_float32(captioner, features, mi):
    """Whatever the search computed in: the published choice is then among exact numbers."""
    found = captioner.decode(features, "beam", mi, precision="bfloat16", beam_size=12)
    units, beams, _ = found.beam_tokens.shape
    texts = [text for unit in found.beam_captions for text in unit]
    repeated = np.repeat(features, beams, axis=0)
    exact = captioner.score(texts, repeated, mi=mi).reshape(units, beams)
    ended = (found.beam_tokens == captioner.tokenizer.vocabulary.stop).any(2)
    assert ended.mean() > 0.5
    np.testing.assert_allclose(found.beam_scores[ended], exact[ended], atol=2e-4)
    assert (np.diff(found.beam_scores, axis=1) <= 0).all()


@torch.inference_mode()
def test_rescoring_in_the_same_precision_changes_nothing(captioner, features):
    """Beams of an exhaustive width too, whose dead beams stay dead."""
    block, words = torch.from_numpy(features), captioner.tokenizer.vocabulary
    for size, length in ((12, 8), (words.size + 5, 2)):
        prior = captioner.language_model

        def stepper(prior=prior):
            return Stepper(captioner.decoder, block, prior, 0.5)

        found = beam_search(stepper(), len(block), words.start, words.stop, size, length)
        again = rescored(stepper(), found, words.start, words.stop)
        np.testing.assert_allclose(again.scores, found.scores, atol=1e-4)
        assert (again.tokens == found.tokens).float().mean() > 0.99, "but for ties"


def test_texts_of_beams_are_made_when_asked_for(captioner, features, monkeypatch):
    made = []
    decode = type(captioner.tokenizer).decode
    monkeypatch.setattr(
        type(captioner.tokenizer), "decode", lambda s, ids: made.append(len(ids)) or decode(s, ids)
    )
    out = captioner.decode(features)
    rows = len(made)
    assert rows <= 2 * len(features) + 2, "one text a unit"
    assert out.captions[1] in out.beam_captions[1]
    assert len(made) > rows
    asked = len(made)
    assert out.beam_captions[1] is out.beam_captions[1]
    assert len(made) == asked, "and once"
    assert out.beam_captions[:2] == list(out.beam_captions)[:2]


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
