import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milan_core import _core, ops
from milan_core.core.errors import UserError
from milan_core.ops import reference

F = np.float32
ANY_SET = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_first_step_and_ties():
    beam, token, score = ops.beam_topk(
        np.zeros((1, 1), F), np.array([[[-1, -3, -1, -2]]], F), np.zeros((1, 1), bool), 0, 3
    )
    assert beam.tolist() == [[0, 0, 0]]
    assert token.tolist() == [[0, 2, 3]]
    assert score.tolist() == [[-1, -1, -2]]


def test_finished_beams_are_frozen():
    scores = np.array([[-1.0, -2.0]], F)
    step = np.full((1, 2, 3), -0.5, F)
    beam, token, score = ops.beam_topk(scores, step, np.array([[True, False]]), 2, 3)
    assert list(zip(beam[0].tolist(), token[0].tolist(), score[0].tolist(), strict=True)) == [
        (0, 2, -1.0),
        (1, 0, -2.5),
        (1, 1, -2.5),
    ]


@ANY_SET
@given(st.data())
def test_equal_to_the_reference(isa, data):
    rows, beams, words = (data.draw(st.integers(1, top)) for top in (4, 6, 40))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    scores = rng.integers(-4, 1, (rows, beams)).astype(F)
    step = rng.choice(np.array([-3, -2, -1, -0.0, 0, -np.inf, np.nan], F), (rows, beams, words))
    finished = rng.random((rows, beams)) < 0.4
    stop = data.draw(st.integers(0, words - 1))
    live = (~finished).sum(1)
    width = data.draw(st.integers(1, int((live * words + beams - live).min())))
    place = np.where(finished, -1, np.arange(rows * beams).reshape(rows, beams))
    want = reference.beam_topk(scores, step.reshape(-1, words), place, stop, width)
    for threads, costs in itertools.product((1, 2), (step, step[~finished])):
        got = ops.beam_topk(scores, costs, finished, stop, width, threads=threads)
        for mine, theirs in zip(got, want, strict=True):
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs)


@ANY_SET
@given(st.data())
def test_normalising_is_a_log_softmax(isa, data):
    rows, beams = (data.draw(st.integers(1, top)) for top in (3, 5))
    words = data.draw(st.integers(2, 200))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    scores = -rng.random((rows, beams), F)
    spread = data.draw(st.sampled_from([1e-3, 1.0, 30.0, 1e4]))
    logits = (spread * rng.normal(size=(rows, beams, words))).astype(F)
    finished = rng.random((rows, beams)) < 0.3
    exact = logits.astype(float)
    top = exact.max(-1, keepdims=True)
    logp = exact - top - np.log(np.exp(exact - top).sum(-1, keepdims=True))
    width = min(words, 8) if not finished.all(1).any() else 1
    args = (finished, 0, width)
    beam, token, score = ops.beam_topk(scores, logits, *args, normalise=True)
    wanted = ops.beam_topk(scores, logp.astype(F), *args)
    np.testing.assert_allclose(score, wanted[2], rtol=3e-6, atol=3e-6)
    chosen = logp[np.arange(rows)[:, None], beam, token]
    chosen[np.take_along_axis(finished, beam, 1)] = 0
    found = np.take_along_axis(scores, beam, 1) + chosen
    np.testing.assert_allclose(score, found, rtol=3e-6, atol=3e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"width": 5}, "width 5 must be in 1..4"),
        ({"stop": 4}, "stop in 0..3"),
        ({"scores": np.zeros((2, 1), F)}, "expected scores"),
        ({"costs": np.zeros((1, 1, 4))}, "must be float32"),
    ],
)
def test_wrong_arguments_are_refused(change, words):
    arguments = {
        "scores": np.zeros((1, 1), F),
        "costs": np.zeros((1, 1, 4), F),
        "finished": np.zeros((1, 1), bool),
        "stop": 0,
        "width": 2,
    }
    with pytest.raises(UserError, match=words):
        ops.beam_topk(**{**arguments, **change})


@pytest.mark.parametrize(
    ("place", "width", "words"),
    [
        ([[0, -1]], 6, "width is above"),
        ([[-1, -1]], 3, "width is above"),
        ([[0, 1]], 2, "place is"),
    ],
)
def test_the_native_call_checks_what_it_reads(place, width, words):
    scores, costs = np.zeros((1, 2), F), np.zeros((1, 4), F)
    with pytest.raises(UserError, match=words):
        _core.beam_topk(scores, costs, np.array(place), 0, width, False, 1, None)


@pytest.mark.parametrize("normalise", [False, True])
def test_a_bias_is_added_to_every_row(normalise):
    rng = np.random.default_rng(0)
    scores, costs, bias = (rng.normal(size=s).astype(F) for s in ((3, 4), (3, 4, 90), 90))
    finished = rng.random((3, 4)) < 0.4
    found = ops.beam_topk(scores, costs, finished, 2, 5, normalise=normalise, bias=bias)
    wanted = ops.beam_topk(scores, costs + bias, finished, 2, 5, normalise=normalise)
    for mine, theirs in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(UserError, match="bias must be"):
        ops.beam_topk(scores, costs, finished, 2, 5, bias=bias[:3])


def test_every_instruction_set_gives_the_same_bytes(monkeypatch):
    """Scores too: their sums run in sixteen lanes, whatever the width of the vectors."""
    rng = np.random.default_rng(4)
    scores, bias = rng.normal(size=(5, 6)).astype(F), rng.normal(size=333).astype(F)
    logits = (5 * rng.normal(size=(5, 6, 333))).astype(F)
    finished = rng.random((5, 6)) < 0.2
    found = set()
    for name in ops.facts()["cpu_features"]:
        monkeypatch.setenv("MILAN_ISA", name)
        for threads in (1, 2):
            options = {"threads": threads, "normalise": True, "bias": bias}
            arrays = ops.beam_topk(scores, logits, finished, 3, 20, **options)
            found.add(b"".join(array.tobytes() for array in arrays))
    assert len(found) == 1
