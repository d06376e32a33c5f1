"""The search and the training as on a GPU, on the CPU: the same answers, and nothing waits."""

import numpy as np
import pytest
import torch
from host_waits import HostWaits

from captioner.test_golden import GOLDEN, REQUESTS
from captioner.test_search import START, STOP, MarkovStepper
from captioner.training.test_train import settings, world  # noqa: F401  (fixtures)
from milan_core.captioner import recurrence, search, waiting
from milan_core.captioner.checkpoint import load_captioner
from milan_core.captioner.search import beam_search, follow, rescored, top_stable
from milan_core.captioner.stepping import Stepper
from milan_core.captioner.training import tasks
from milan_core.captioner.training.pairs import build_corpus
from milan_core.captioner.vocabulary import Tokenizer
from milan_core.core.seeding import torch_generator


@pytest.fixture
def gpu(monkeypatch):
    """Call to let the CPU pass for a device that works on its own."""

    def start():
        for module in (waiting, search, recurrence):
            monkeypatch.setattr(module, "apart", lambda x: True)
        monkeypatch.setattr(recurrence, "_fused", lambda x: False)

    return start


@pytest.fixture(scope="module")
def captioner():
    return load_captioner(GOLDEN / "decoder.pth")


@pytest.fixture(scope="module")
def features():
    with np.load(GOLDEN / "features.npz") as data:
        return data["features"]


@pytest.mark.parametrize("request_", [*REQUESTS.values(), {"strategy": "sample", "seed": 3}])
def test_descriptions_are_those_of_the_cpu(captioner, features, gpu, request_):
    here = captioner.decode(features, **request_)
    gpu()
    there = captioner.decode(features, **request_)
    assert there.captions == here.captions
    assert there.tokens.tolist() == here.tokens.tolist()
    np.testing.assert_allclose(there.scores, here.scores, atol=1e-4)
    np.testing.assert_allclose(there.logp, here.logp, atol=1e-4)
    if here.beam_tokens is not None:
        assert there.beam_tokens.tolist() == here.beam_tokens.tolist()
        np.testing.assert_allclose(there.beam_scores, here.beam_scores, atol=1e-4)


def test_bfloat16_is_scored_again(captioner, features, gpu):
    asked = {"strategy": "beam", "precision": "bfloat16", "beam_size": 12}
    here = captioner.decode(features, **asked)
    gpu()
    there = captioner.decode(features, **asked)
    same = [a == b for a, b in zip(here.captions, there.captions, strict=True)]
    assert np.mean(same) > 0.9
    np.testing.assert_allclose(there.beam_scores, here.beam_scores, atol=0.2)


@pytest.mark.parametrize("size", [1, 6, 9, 100])
@pytest.mark.parametrize("ties", [False, True])
def test_beams_are_those_of_the_cpu(gpu, size, ties):
    """Ties, beams wider than the vocabulary, and scores of the same beams by another stepper."""
    here = beam_search(MarkovStepper(3, 9, ties=ties), 3, START, STOP, size, 8)
    again = rescored(MarkovStepper(3, 9, seed=1), here, START, STOP)
    gpu()
    there = beam_search(MarkovStepper(3, 9, ties=ties), 3, START, STOP, size, 8)
    assert there.tokens.tolist() == here.tokens.tolist()
    torch.testing.assert_close(there.scores, here.scores)
    scored = rescored(MarkovStepper(3, 9, seed=1), here, START, STOP)
    assert scored.tokens.tolist() == again.tokens.tolist()
    torch.testing.assert_close(scored.scores, again.scores)


def test_a_beam_that_ends_at_once_is_one_word_long(gpu):
    stepper = MarkovStepper(2, 5)
    stepper.table[..., STOP] = 5.0
    gpu()
    assert beam_search(stepper, 2, START, STOP, 1, 15).tokens.tolist() == [[[STOP]]] * 2


@pytest.mark.parametrize("count", [1, 3, 40])
def test_the_largest_by_whole_numbers(gpu, count):
    draw = torch.Generator().manual_seed(0)
    values = torch.randn(50, 40, generator=draw).mul(2).round()
    values[3], values[4, ::2], values[5, 1::3] = 0.0, -0.0, float("-inf")
    values[6], values[7] = values[6] * 1e38, values[7] * 1e-45
    top, index = top_stable(values, count)
    gpu()
    there, places = top_stable(values, count)
    assert (there == top).all()
    assert (places == index).all()


def waits_of(captioner, block, length, **options):
    words = captioner.tokenizer.vocabulary
    with torch.no_grad(), HostWaits() as waits:
        stepper = Stepper(captioner.decoder, block, captioner.language_model, 0.2)
        if options:
            follow(stepper, len(block), words.start, words.stop, length, **options)
        else:
            beams = beam_search(stepper, len(block), words.start, words.stop, 5, length)
            rescored(Stepper(captioner.decoder, block), beams, words.start, words.stop)
    return waits.found


def test_no_step_of_the_search_waits(captioner, features, gpu, monkeypatch):
    """The CPU's search does; its waits grow with the length."""
    block = torch.from_numpy(features.astype(np.float32))
    assert len(waits_of(captioner, block, 9)) > len(waits_of(captioner, block, 3)) > 3
    assert len(waits_of(captioner, block, 9, early=True)) > 3
    gpu()
    late = [(torch.tensor(True), type("Event", (), {"query": lambda self: False})())]
    monkeypatch.setattr(waiting, "reported", lambda truth: late[0])
    for length in (3, 9):
        assert waits_of(captioner, block, length) == ["_local_scalar_dense"]  # its length
        assert not waits_of(captioner, block, length, early=True)


def test_an_end_that_is_reported_ends_the_search(captioner, features, gpu, monkeypatch):
    steps, advance = [], Stepper.advance
    monkeypatch.setattr(Stepper, "advance", lambda *a: (steps.append(1), advance(*a))[1])
    block = torch.from_numpy(features.astype(np.float32))
    words = captioner.tokenizer.vocabulary

    def searched():
        steps.clear()
        stepper = Stepper(captioner.decoder, block)
        return beam_search(stepper, len(block), words.start, words.stop, 4, 40)

    with torch.inference_mode():
        here = searched()
        needed = len(steps)
        gpu()
        assert searched().tokens.tolist() == here.tokens.tolist()
        assert len(steps) == needed < 40
        asked, told = [], waiting.reported

        def late(truth):
            """Arrives when it is asked for the third time."""
            asked.append(0)
            mine = len(asked) - 1

            def query():
                asked[mine] += 1
                return asked[mine] > 2

            return told(truth)[0], type("Event", (), {"query": staticmethod(query)})

        monkeypatch.setattr(waiting, "reported", late)
        assert searched().tokens.tolist() == here.tokens.tolist()
        assert needed < len(steps) <= 40


@pytest.mark.parametrize("kept", [False, True])
def test_no_step_of_training_waits(world, settings, gpu, monkeypatch, kept):  # noqa: F811
    """One wait an epoch for its loss, with features on the host and on the device."""
    features, texts = world
    corpus = build_corpus(texts, 0.1, 0)
    gpu()
    monkeypatch.setattr(tasks, "fits", lambda size, device: kept)
    tokenizer = Tokenizer(corpus.vocabulary)
    decoder = tasks.DecoderTask(corpus, tokenizer, features, settings, 0, "cpu")
    assert (decoder._rows._there is not None) == kept
    prior = tasks.LanguageTask(corpus, tokenizer, settings, 0, "cpu")
    assert len(corpus.train) > 4 * settings.batch
    for task in (decoder, prior):
        with HostWaits() as waits:
            task.train_epoch(1)
        assert waits.found == ["_local_scalar_dense"]
        with HostWaits() as waits:
            task.evaluate()
        assert waits.found == ["_local_scalar_dense"]


def test_features_on_a_device_are_the_same_numbers(world, monkeypatch):  # noqa: F811
    features, _ = world
    units = np.array([5, 0, 5, 59])
    here = tasks.FeatureRows(features, "cpu")(units)
    monkeypatch.setattr(tasks, "fits", lambda size, device: True)
    there = tasks.FeatureRows(features, "cpu")(units)
    assert there.dtype == here.dtype == torch.float32
    assert torch.equal(here, there)


def test_draws_are_the_same_everywhere(gpu):
    drawn = []
    for start in (lambda: None, gpu):
        start()
        sampler = torch_generator(0, "sample")
        drawn.append(follow(MarkovStepper(4, 7), 4, START, STOP, 6, sampler=sampler).tokens)
    assert torch.equal(*drawn)
