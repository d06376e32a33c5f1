"""The captioner on a device gives what it gives on the CPU."""

import numpy as np
import pytest
import torch

from milan_core.captioner.captioner import Captioner
from milan_core.captioner.decoder import Decoder
from milan_core.captioner.language_model import LanguageModel
from milan_core.captioner.options import CaptionerSettings
from milan_core.captioner.prior import most_likely_text
from milan_core.captioner.training.train import train_captioner
from milan_core.captioner.vocabulary import Tokenizer, Vocabulary

pytestmark = pytest.mark.gpu

WORDS = tuple(f"w{index}" for index in range(300))
F = 48


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(0).normal(size=(70, 15, F)).astype(np.float16)


@pytest.fixture(scope="module")
def captioner():
    torch.manual_seed(0)
    tokenizer = Tokenizer(Vocabulary(WORDS))
    decoder = Decoder(F, tokenizer.vocabulary.size, embedding=16, hidden=64)
    prior = LanguageModel(tokenizer, embedding=16, hidden=64)
    with torch.no_grad():
        # Sharper than fresh weights, so that rounding does not decide between words.
        decoder.output.weight.mul_(12)
        prior.output.weight.mul_(6)
        decoder.output.bias[tokenizer.vocabulary.stop] += 3
    return Captioner(decoder, prior, tokenizer).eval()


@pytest.mark.parametrize(
    "request_",
    [
        {"strategy": "rerank", "beam_size": 20},
        {"strategy": "rerank", "beam_size": 20, "legacy": True},
        {"strategy": "beam", "beam_size": 20, "mi": True},
        {"strategy": "greedy", "mi": False, "details": True},
    ],
    ids=["rerank", "legacy", "beam-mi", "greedy"],
)
def test_decoding_equals_the_cpu(device, captioner, features, request_):
    here = captioner.to("cpu").decode(features, **request_)
    there = captioner.to(device).decode(features, **request_)
    same = [a == b for a, b in zip(here.captions, there.captions, strict=True)]
    assert np.mean(same) >= 0.95, "near ties may fall the other way"
    np.testing.assert_allclose(there.logp[same], here.logp[same], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(there.logp_lm[same], here.logp_lm[same], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(there.scores[same], here.scores[same], rtol=1e-4, atol=1e-3)
    if here.predictions is not None:
        forced = captioner.decode(features, "forced", targets=here.tokens, mi=False)
        np.testing.assert_allclose(forced.predictions, here.predictions, atol=1e-3, rtol=1e-4)
        np.testing.assert_allclose(forced.attentions, here.attentions, atol=1e-4)


def test_scores_and_the_prior_equal_the_cpu(device, captioner, features):
    texts = [f"w{index} w{index + 1} w7" for index in range(len(features))]
    here = captioner.to("cpu").score(texts, features), most_likely_text(captioner, 10, 8)
    there = captioner.to(device).score(texts, features), most_likely_text(captioner, 10, 8)
    np.testing.assert_allclose(there[0], here[0], rtol=1e-4, atol=1e-4)
    assert there[1][0] == here[1][0]
    assert there[1][1] == pytest.approx(here[1][1], rel=1e-4)


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-3), ("bfloat16", 2e-2)])
def test_training_equals_the_cpu(device, precision, tolerance):
    """The first epoch's losses; later ones drift apart by rounding."""
    rng = np.random.default_rng(1)
    nouns = ("dog", "cat", "tree", "sky")
    kinds = rng.integers(0, 4, 80)
    features = (rng.normal(size=(4, F))[kinds][:, None] + rng.normal(size=(80, 5, F)) / 3).astype(
        np.float16
    )
    texts = [[f"a {nouns[kind]}", f"the {nouns[kind]}"] for kind in kinds]
    settings = CaptionerSettings(
        **{"embedding": 8, "hidden": 32, "lm_embedding": 8, "lm_hidden": 16, "dropout": 0.0},
        **{"max_epochs": 1, "batch": 32, "stop_on": "loss", "precision": "float32"},
    )
    losses = []
    for place, where in (("cpu", "cpu"), ("gpu", str(device))):
        chosen = settings
        if place == "gpu":
            chosen = settings.model_copy(update={"precision": precision})
        history = train_captioner(features, texts, chosen, 0, device=where).history
        losses.append([row[name] for row in history for name in ("train_loss", "val_loss")])
    np.testing.assert_allclose(losses[1], losses[0], rtol=tolerance)


def test_products_in_bfloat16(device, captioner, features):
    """Forced, so that the same words are compared; bfloat16 has three digits."""
    ids = captioner.tokenizer.encode([f"w{index} w3" for index in range(len(features))])[:, 1:]
    asked = {"strategy": "forced", "targets": ids, "mi": False}
    here = captioner.to("cpu").decode(features, **asked)
    there = captioner.to(device).decode(features, precision="bfloat16", **asked)
    np.testing.assert_allclose(there.logp, here.logp, rtol=2e-2, atol=1e-1)
