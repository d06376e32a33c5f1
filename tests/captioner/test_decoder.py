"""The two networks: equations, invariants and hand-written derivatives."""

import itertools

import numpy as np
import pytest
import torch

from milan_core.captioner.decoder import Decoder
from milan_core.captioner.language_model import LanguageModel, counted_lengths
from milan_core.captioner.recurrence import run_sequence
from milan_core.captioner.rerank import beam_prior
from milan_core.captioner.stepping import Stepper
from milan_core.captioner.training.tasks import _moments
from milan_core.captioner.vocabulary import Tokenizer, Vocabulary

F, V, K = 7, 9, 4


@pytest.fixture
def decoder():
    torch.manual_seed(0)
    return Decoder(F, V, embedding=5, hidden=6, attention=3).eval()


@pytest.fixture
def features():
    return torch.randn(3, K, F, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def language_model():
    torch.manual_seed(2)
    words = tuple("abcde")
    return LanguageModel(Tokenizer(Vocabulary(words)), embedding=4, hidden=6).eval()


def forced_by_hand(decoder, v, tokens):
    """Log-probabilities (T, V) and attention (T, k) of one unit, as in specification 4.3."""
    w = {name: p.detach().double().numpy() for name, p in decoder.named_parameters()}

    def linear(name, x):
        return w[f"{name}.weight"] @ x + w.get(f"{name}.bias", 0)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    h, c = np.tanh(linear("init_h", v.mean(0))), np.tanh(linear("init_c", v.mean(0)))
    rows, weights = [], []
    for token in tokens:
        e = [linear("energy", np.tanh(linear("query", h) + linear("key", x)))[0] for x in v]
        alpha = np.exp(e) / np.exp(e).sum()
        context = alpha @ v
        x = np.concatenate([w["embedding.weight"][token], sigmoid(linear("gate", h)) * context])
        gates = w["lstm.weight_ih"] @ x + w["lstm.bias_ih"]
        i, f, g, o = np.split(gates + w["lstm.weight_hh"] @ h + w["lstm.bias_hh"], 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        scores = linear("output", h)
        rows.append(scores - np.log(np.exp(scores).sum()))
        weights.append(alpha)
    return np.array(rows), np.array(weights)


def test_decoder_follows_the_equations(decoder, features):
    tokens = torch.tensor([[5, 0, 3, 1], [5, 1, 1, 2], [5, 4, 4, 4]])
    hidden, attention = decoder(features, tokens)
    logp = torch.log_softmax(decoder.output(hidden), -1).detach()
    for unit in range(3):
        rows, weights = forced_by_hand(decoder, features[unit].double().numpy(), tokens[unit])
        np.testing.assert_allclose(logp[unit], rows, atol=1e-5)
        np.testing.assert_allclose(attention[unit].detach(), weights, atol=1e-5)


def test_stepping_equals_teacher_forcing(decoder, features):
    tokens = torch.randint(0, V, (3, 6))
    hidden, attention = decoder(features, tokens)
    logp = torch.log_softmax(decoder.output(hidden), -1)
    stepper = Stepper(decoder, features)
    for t in range(6):
        step = stepper.advance(tokens[:, t])
        torch.testing.assert_close(step.logp, logp[:, t], atol=1e-6, rtol=0)
        torch.testing.assert_close(step.attention, attention[:, t], atol=1e-6, rtol=0)


@pytest.mark.parametrize("counts", [(5, 5, 5), (4, 0, 2), (1, 3, 0)])
def test_many_hypotheses_equal_many_units(decoder, features, language_model, counts):
    """Whatever their number per unit, and whichever of them have a parent in common."""
    units = torch.repeat_interleave(torch.arange(3), torch.tensor(counts))
    first, second = torch.randint(0, V, (2, len(units)))
    parents = torch.randint(0, 2, (len(units),)).cumsum(0).clamp(max=len(units) - 1)
    parents = parents[units[parents] == units]
    many = Stepper(decoder, features, language_model, 0.3)
    many.advance(torch.zeros(3, dtype=torch.long))
    found = [many.advance(first, units), many.advance(second[: len(parents)], parents)]
    single = Stepper(decoder, features[units], language_model, 0.3)
    single.advance(torch.zeros(len(units), dtype=torch.long))
    expected = [single.advance(first)]
    single = Stepper(decoder, features[units[parents]], language_model, 0.3)
    single.advance(torch.zeros(len(parents), dtype=torch.long))
    single.advance(first[parents])
    expected.append(single.advance(second[: len(parents)]))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.score, theirs.score, atol=1e-6, rtol=0)
        torch.testing.assert_close(ours.logp, theirs.logp, atol=1e-6, rtol=0)
        torch.testing.assert_close(ours.attention, theirs.attention, atol=1e-6, rtol=0)


def test_attention_sums_to_one_and_exemplar_order_is_irrelevant(decoder, features):
    tokens = torch.randint(0, V, (3, 6))
    hidden, attention = decoder(features, tokens)
    torch.testing.assert_close(attention.sum(-1), torch.ones(3, 6))
    order = torch.tensor([2, 0, 3, 1])
    shuffled, moved = decoder(features[:, order], tokens)
    torch.testing.assert_close(shuffled, hidden, atol=1e-6, rtol=0)
    torch.testing.assert_close(moved, attention[..., order], atol=1e-6, rtol=0)


def test_zero_features_give_finite_numbers(decoder):
    hidden, attention = decoder(torch.zeros(2, K, F), torch.zeros(2, 3, dtype=torch.long))
    assert torch.isfinite(hidden).all()
    torch.testing.assert_close(attention, torch.full((2, 3, K), 1 / K))


def test_standardised_input(decoder, features):
    mean, deviation = torch.arange(F).float(), torch.linspace(0.5, 2, F)
    tokens = torch.randint(0, V, (3, 4))
    expected, _ = decoder((features - mean) / deviation, tokens)
    decoder.standardize(mean, deviation)
    torch.testing.assert_close(decoder(features, tokens)[0], expected, atol=1e-5, rtol=0)
    decoder.standardize(mean, torch.zeros(F))
    assert torch.isfinite(decoder(features, tokens)[0]).all()


def test_constant_features_do_not_count(decoder):
    """The mean of 777 times 0.1 is not quite 0.1: a scale of 1e12 for whatever differs later."""
    given = np.random.default_rng(0).normal(size=(777, K, F)).astype(np.float32)
    given[..., 0] = 0.1
    mean, deviation = _moments(given, np.arange(777))
    assert deviation[0] > 0
    decoder.standardize(mean.float(), deviation.float())
    tokens, other = torch.randint(0, V, (2, 4)), torch.from_numpy(given[:2].copy())
    expected, _ = decoder(other, tokens)
    other[..., 0] = 0.2
    torch.testing.assert_close(decoder(other, tokens)[0], expected)


def test_hand_written_derivative():
    torch.manual_seed(3)
    decoder = Decoder(F, V, embedding=5, hidden=6, attention=3).double()
    features = torch.randn(2, K, F, dtype=torch.double)
    state = torch.randn(2, 2, 6, dtype=torch.double)
    words = torch.randn(2, 3, 24, dtype=torch.double)
    inputs = [torch.randn(2, K, 3, dtype=torch.double), *state, words, *decoder.hidden_weights()]
    inputs = [x.detach().clone().requires_grad_() for x in inputs]

    def run(keys, h, c, words, *weights):
        return run_sequence(features, keys, h, c, words, weights)

    assert torch.autograd.gradcheck(run, inputs)


def test_attention_blocks_change_nothing(decoder, features, monkeypatch):
    whole = Stepper(decoder, features).advance(torch.zeros(3, dtype=torch.long))
    monkeypatch.setattr("milan_core.captioner.recurrence._ATTENTION_BLOCK", 1)
    blocks = Stepper(decoder, features).advance(torch.zeros(3, dtype=torch.long))
    torch.testing.assert_close(blocks.logp, whole.logp, atol=1e-6, rtol=0)


def test_language_model_sums_through_the_stop(language_model):
    model, texts = language_model, ["a b c", "e", "d zzz", ""]
    found = model.logp(texts)
    assert found.dtype == np.float32
    for text, value in zip(texts, found, strict=True):
        ids, state, total = model.tokenizer.encode(text).tolist(), None, 0.0
        for read, target in itertools.pairwise(ids):
            logp, state = model.step(torch.tensor([read]), state)
            total += logp[0, target].item()
        assert value == pytest.approx(total, abs=1e-5)


def test_language_model_ignores_what_follows_the_stop(language_model):
    stop = language_model.tokenizer.vocabulary.stop
    rows = torch.tensor([[0, 1, stop, stop], [0, 1, stop, 3], [0, 1, 2, 3]])
    found = language_model.sequence_logp(rows)
    assert found[0] == found[1]
    assert counted_lengths(rows, stop).tolist() == [3, 3, 4]
    extra = language_model.sequence_logp(rows, legacy=True) - found
    assert extra[0] < 0
    assert extra[2] == 0


def test_language_model_chunks_and_mode(language_model, monkeypatch):
    texts = ["a", "b c d e", "c c", "d"] * 3
    whole = language_model.logp(texts)
    monkeypatch.setattr("milan_core.captioner.language_model._CELLS_PER_CHUNK", 100)
    language_model.train()
    np.testing.assert_allclose(language_model.logp(texts), whole, atol=1e-6)
    assert language_model.training
    assert language_model.logp([]).shape == (0,)


@pytest.mark.parametrize("legacy", [False, True])
def test_prior_of_beams_reads_every_beginning_once(language_model, legacy, monkeypatch):
    stop = language_model.tokenizer.vocabulary.stop
    tokens = torch.randint(0, 4, (6, 5, 7), generator=torch.Generator().manual_seed(0))
    tokens[torch.rand(6, 5, 7, generator=torch.Generator().manual_seed(1)) < 0.15] = stop
    ended = (tokens == stop).cumsum(-1) > 0
    tokens[ended] = stop
    expected = language_model.sequence_logp(tokens.flatten(0, 1), legacy=legacy).view(6, 5)
    read = []
    one = language_model.read
    monkeypatch.setattr(
        language_model, "read", lambda t, *rest: read.append(len(t)) or one(t, *rest)
    )
    found = beam_prior(language_model, tokens, legacy=legacy)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert read[0] == 1
    assert sum(read) < 6 * 5 * 7
    monkeypatch.setattr("milan_core.captioner.rerank._CELLS_PER_CHUNK", 1)
    torch.testing.assert_close(beam_prior(language_model, tokens, legacy=legacy), found)
