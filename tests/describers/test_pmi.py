"""One function describes with every family: exact for the LSTM, padded for unequal beams."""

import numpy as np
import pytest
import torch

from milan_core.captioner.captioner import Captioner
from milan_core.captioner.decoder import Decoder
from milan_core.captioner.language_model import LanguageModel
from milan_core.captioner.options import BeamOptions
from milan_core.captioner.rerank import sweep
from milan_core.captioner.vocabulary import Tokenizer, Vocabulary
from milan_core.describers.backends.interface import Proposals, TokenPrior
from milan_core.describers.backends.lstm import LstmCaptioner, LstmPrior
from milan_core.describers.driver import table_rows
from milan_core.describers.pmi import FORM, described, pmi_describe

WORDS = ("a", "dog", "cat", "red", "-", ",", "on", "grass")
F = 6
FIELDS = ("tokens", "scores", "logp", "logp_lm")
FIELDS += ("beam_tokens", "beam_scores", "beam_logp", "beam_logp_lm")


@pytest.fixture(scope="module")
def captioner():
    torch.manual_seed(0)
    tokenizer = Tokenizer(Vocabulary(WORDS))
    decoder = Decoder(F, tokenizer.vocabulary.size, embedding=4, hidden=8)
    prior = LanguageModel(tokenizer, embedding=4, hidden=8)
    with torch.no_grad():
        # Sharper than fresh weights, and with a liking for the stop, so that lengths differ.
        decoder.output.weight.mul_(8)
        decoder.output.bias[tokenizer.vocabulary.stop] += 2
    return Captioner(decoder, prior, tokenizer, max_unit_batch=3)


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(0).normal(size=(7, 5, F)).astype(np.float32)


@pytest.mark.parametrize(
    ("temperature", "beam", "length"), [(0.2, 10, 15), (1.0, 50, 6), (0, 4, 3)]
)
def test_the_lstm_family_reproduces_decode_exactly(captioner, features, temperature, beam, length):
    expected = captioner.decode(
        features, "rerank", None, temperature, beam, length, clamp_beam=True
    )
    options = BeamOptions(temperature=temperature, beam_size=beam, length=length)
    prior = LstmPrior(captioner.language_model)
    found = pmi_describe(LstmCaptioner(captioner), prior, features, options)
    assert found.captions == expected.captions
    assert found.beam_captions == expected.beam_captions
    for name in FIELDS:
        one, two = getattr(found, name), getattr(expected, name)
        assert one.dtype == two.dtype, name
        np.testing.assert_array_equal(one, two, err_msg=name)


def test_a_plain_language_model_is_a_prior_of_texts(captioner, features):
    model = captioner.language_model
    assert isinstance(LstmPrior(model), TokenPrior)
    assert not isinstance(model, TokenPrior)
    found = pmi_describe(LstmCaptioner(captioner), model, features, BeamOptions(beam_size=8))
    expected = np.stack([model.logp(texts) for texts in found.beam_captions])
    np.testing.assert_allclose(found.beam_logp_lm, expected, atol=1e-5)


def test_ids_of_another_vocabulary_are_not_read(captioner, features):
    torch.manual_seed(1)
    other = LanguageModel(Tokenizer(Vocabulary(WORDS[::-1])), embedding=4, hidden=8)
    found = pmi_describe(
        LstmCaptioner(captioner), LstmPrior(other), features, BeamOptions(beam_size=8)
    )
    expected = np.stack([other.logp(texts) for texts in found.beam_captions])
    np.testing.assert_allclose(found.beam_logp_lm, expected, atol=1e-5)


def test_scores_of_given_texts_are_the_captioners(captioner, features):
    texts = [["a dog", "cat"], ["red grass"]]
    found = LstmCaptioner(captioner).score(features[:2], texts)
    for row, group, unit in zip(found, texts, features, strict=False):
        np.testing.assert_array_equal(row, captioner.score(group, unit[None], mi=False))


class Fixed:
    """A captioner of given candidates."""

    def __init__(self, *units):
        self.units = [Proposals(texts, np.float32(logp)) for texts, logp in units]

    def candidates(self, units, beam_size, length):
        return self.units[: len(units)]


class Table:
    def __init__(self, **values):
        self.values, self.asked = values, []

    def logp(self, texts):
        self.asked.append(list(texts))
        return np.float32([self.values[text] for text in texts])


def test_units_with_fewer_candidates_are_padded():
    captioner = Fixed((["x", "y", "z"], [-1, -2, -3]), (["y"], [-5]))
    prior = Table(x=-1, y=-9, z=-2)
    out = pmi_describe(captioner, prior, [0, 1], BeamOptions(temperature=1.0))
    assert out.captions == ["y", "y"]
    assert prior.asked == [["x", "y", "z", "y"]]
    np.testing.assert_array_equal(out.scores, [7, 4])
    np.testing.assert_array_equal(out.beam_logp[1], [-5, -np.inf, -np.inf])
    assert out.beam_captions == [["x", "y", "z"], ["y"]]
    for weight, best in sweep(out.beam_logp, out.beam_logp_lm, [0.0, 1.0, 1e6]).items():
        assert best.tolist() == [0 if weight == 0 else 1, 0]
    said = described([("l", 0), ("l", 1)], out, 1.0)
    assert table_rows(said, FORM)[0] == ["l", 0, "y", -2.0, -9.0, 7.0]


def test_ties_go_to_the_earlier_candidate_and_no_units_are_fine():
    captioner = Fixed((["x", "y"], [-1, -1]))
    assert pmi_describe(captioner, Table(x=-2, y=-2), [0], BeamOptions()).captions == ["x"]
    out = pmi_describe(captioner, Table(), [], BeamOptions())
    assert (out.captions, out.scores.shape, out.beam_captions) == ([], (0,), [])
