"""Beam search and its tie rule (specification 1.4)."""

import itertools

import numpy as np
import pytest
import torch

from milan_core.captioner.search import beam_search, best_continuations, follow, top_stable
from milan_core.captioner.stepping import Scores

START, STOP = 3, 2


class MarkovStepper:
    """A toy with the interface of `Stepper`: the next word depends on the unit and the last two."""

    device = torch.device("cpu")

    def __init__(self, units, words, seed=0, ties=False):
        generator = torch.Generator().manual_seed(seed)
        logits = torch.randn(units, words, words, words, generator=generator)
        self.table = torch.log_softmax(logits.round() if ties else logits, -1)
        self.restart()

    def restart(self):
        self.units = torch.arange(len(self.table))
        self.before = torch.full((len(self.table),), START)

    def advance(self, tokens, parents=None):
        if parents is not None:
            self.units, self.before = self.units[parents], self.before[parents]
        logp = self.table[self.units, self.before, tokens]
        self.before = tokens
        return Scores(logp, logp[..., :2])

    def score(self, unit, tokens):
        before, last, total = START, START, 0.0
        for token in tokens:
            total += self.table[unit, before, last, token].item()
            if token == STOP:
                break
            before, last = last, token
        return total


def exhaustive(stepper, unit, words, length):
    """Every description of at most `length` tokens with its score, best first."""
    texts = set()
    for text in itertools.product(range(words), repeat=length):
        cut = text.index(STOP) + 1 if STOP in text else length
        texts.add(text[:cut])
    return sorted(((stepper.score(unit, text), text) for text in texts), reverse=True)


def cut(tokens):
    tokens = tokens.tolist()
    return tuple(tokens[: tokens.index(STOP) + 1] if STOP in tokens else tokens)


@pytest.mark.parametrize("length", [1, 2, 4])
def test_wide_beam_is_an_exhaustive_search(length):
    words = 4
    stepper = MarkovStepper(2, words)
    beams = beam_search(stepper, 2, START, STOP, words**length, length)
    for unit in range(2):
        expected = exhaustive(stepper, unit, words, length)
        found = beams.scores[unit][: len(expected)]
        np.testing.assert_allclose(found, [score for score, _ in expected], atol=1e-5)
        texts = [cut(row) for row in beams.tokens[unit][: len(expected)]]
        assert len(set(texts)) == len(expected)
        assert texts[0] == expected[0][1]
        assert torch.isinf(beams.scores[unit][len(expected) :]).all()


def test_scores_are_true_and_never_rise():
    stepper = MarkovStepper(3, 9)
    beams = beam_search(stepper, 3, START, STOP, 6, 8)
    assert (beams.scores.diff(dim=1) <= 0).all()
    for unit, beam in itertools.product(range(3), range(6)):
        score = stepper.score(unit, cut(beams.tokens[unit, beam]))
        assert beams.scores[unit, beam].item() == pytest.approx(score, abs=1e-5)


def test_finished_beams_are_frozen():
    stepper = MarkovStepper(2, 9, seed=1)
    short = beam_search(stepper, 2, START, STOP, 8, 2)
    stepper.restart()
    long = beam_search(stepper, 2, START, STOP, 8, 9)
    kept = 0
    for unit in range(2):
        pairs = zip(long.tokens[unit], long.scores[unit], strict=True)
        later = {cut(row): score for row, score in pairs}
        for row, score in zip(short.tokens[unit], short.scores[unit], strict=True):
            if STOP in row and cut(row) in later:
                assert later[cut(row)] == score
                kept += 1
    assert kept > 0
    stopped = (long.tokens == STOP).cumsum(-1) > 0
    assert (long.tokens[stopped] == STOP).all()


def test_search_ends_when_every_beam_has_stopped():
    stepper = MarkovStepper(1, 5)
    stepper.table[...] = -50.0
    stepper.table[..., STOP] = -0.1
    beams = beam_search(stepper, 1, START, STOP, 3, 15)
    assert beams.tokens.shape == (1, 3, 2)
    assert (beams.tokens[..., -1] == STOP).all()


def test_a_unit_does_not_depend_on_its_batch():
    stepper = MarkovStepper(4, 7)
    together = beam_search(stepper, 4, START, STOP, 5, 6)
    alone = MarkovStepper(4, 7)
    alone.table = alone.table[2:3]
    alone.restart()
    single = beam_search(alone, 1, START, STOP, 5, 6)
    assert together.tokens[2, :, : single.tokens.shape[2]].equal(single.tokens[0])
    assert together.scores[2].equal(single.scores[0])


@pytest.mark.parametrize("count", [1, 4, 20])
def test_ties_go_to_the_lower_index(count):
    values = torch.randint(0, 4, (200, 20), generator=torch.Generator().manual_seed(count)).float()
    values[0] = float("-inf")
    top, index = top_stable(values, count)
    expected = np.argsort(-values.numpy(), axis=1, kind="stable")[:, :count]
    np.testing.assert_array_equal(index, expected)
    assert top.equal(values.gather(1, index))


@pytest.mark.parametrize("native", [False, True])
def test_continuations_obey_the_contract(native, monkeypatch):
    from milan_core.captioner import search

    if not native:
        monkeypatch.setattr(search, "_native_topk", lambda: None)
    elif search._native_topk() is None:
        pytest.skip("the native core is not built")
    generator = torch.Generator().manual_seed(0)
    scores = -torch.randint(0, 3, (50, 4), generator=generator).float()
    steps = -torch.randint(0, 3, (50, 4, 6), generator=generator).float()
    finished = torch.rand(50, 4, generator=generator) < 0.4
    found = Scores(steps[~finished], prior=steps[:0])
    found.score = found.logits  # whole numbers, so that there are ties
    values, beams, tokens = best_continuations(scores, found, finished, STOP, 4)
    for unit in range(50):
        candidates = []
        for beam, token in itertools.product(range(4), range(6)):
            if finished[unit, beam] and token != STOP:
                continue
            cost = 0.0 if finished[unit, beam] else steps[unit, beam, token].item()
            candidates.append((-(scores[unit, beam].item() + cost), beam * 6 + token))
        flat = (beams[unit] * 6 + tokens[unit]).tolist()
        found = list(zip((-values[unit]).tolist(), flat, strict=True))
        assert found == sorted(candidates)[:4]


def test_greedy_takes_the_best_word_and_sums_every_step():
    stepper = MarkovStepper(3, 6)
    paths = follow(stepper, 3, START, STOP, 7, details=True)
    assert paths.tokens.shape == (3, 7)
    assert paths.predictions.argmax(-1).equal(paths.tokens)
    chosen = paths.predictions.gather(2, paths.tokens.unsqueeze(2)).sum((1, 2))
    torch.testing.assert_close(paths.scores, chosen)
    for unit in range(3):
        true = stepper.score(unit, paths.tokens[unit].tolist())
        assert paths.logp[unit].item() == pytest.approx(true, abs=1e-5)


def test_early_ends_with_the_last_stop():
    stepper = MarkovStepper(2, 5)
    stepper.table[..., STOP] = 1.0
    assert follow(stepper, 2, START, STOP, 15, early=True).tokens.tolist() == [[STOP], [STOP]]


def test_samples_follow_the_distribution():
    stepper = MarkovStepper(1, 5)
    probabilities = stepper.table[0, START, START].exp()
    stepper.table = stepper.table.expand(4000, -1, -1, -1)
    stepper.restart()
    generator = torch.Generator().manual_seed(0)
    paths = follow(stepper, 4000, START, STOP, 1, sampler=generator)
    shares = torch.bincount(paths.tokens[:, 0], minlength=5) / 4000
    torch.testing.assert_close(shares, probabilities, atol=0.03, rtol=0)
