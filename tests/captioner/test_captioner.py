"""What users do with a captioner: strategies, scores, errors, modes (specification 1.3)."""

import numpy as np
import pytest
import torch

from milan_core.captioner.captioner import Captioner
from milan_core.captioner.checkpoint import save_captioner
from milan_core.captioner.decoder import Decoder
from milan_core.captioner.features.store import FeatureTable
from milan_core.captioner.language_model import LanguageModel
from milan_core.captioner.options import CAPTIONER_FILES, DecodingOptions
from milan_core.captioner.rerank import best_beam, sweep
from milan_core.captioner.vocabulary import Tokenizer, Vocabulary
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.core.step import Compute
from milan_core.describers.step import DescribeUnits
from milan_core.scoring.beams import read_beams

WORDS = ("a", "dog", "cat", "red", "-", ",", "on", "grass")
F = 6


def make(language_model=True, chunk=64):
    torch.manual_seed(0)
    tokenizer = Tokenizer(Vocabulary(WORDS))
    decoder = Decoder(F, tokenizer.vocabulary.size, embedding=4, hidden=8)
    prior = LanguageModel(tokenizer, embedding=4, hidden=8) if language_model else None
    captioner = Captioner(decoder, prior, tokenizer, max_unit_batch=chunk)
    with torch.no_grad():
        # Sharper than fresh weights, and with a liking for the stop, so that lengths differ.
        decoder.output.weight.mul_(8)
        decoder.output.bias[tokenizer.vocabulary.stop] += 2
    return captioner


@pytest.fixture(scope="module")
def captioner():
    return make().eval()


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(0).normal(size=(7, 5, F)).astype(np.float32)


def test_rerank_with_zero_temperature_is_the_best_beam(captioner, features):
    plain = captioner.decode(features, strategy="beam", mi=False, beam_size=6)
    reranked = captioner.decode(features, temperature=0.0, beam_size=6)
    assert reranked.captions == plain.captions
    np.testing.assert_array_equal(reranked.tokens, plain.tokens)
    np.testing.assert_array_equal(reranked.beam_scores, plain.beam_scores)
    np.testing.assert_array_equal(plain.scores, plain.beam_scores[:, 0])


@pytest.mark.parametrize("temperature", [0.2, 1.0])
def test_rerank_is_the_brute_force_argmax(captioner, features, temperature):
    out = captioner.decode(features, temperature=temperature, beam_size=10)
    words = captioner.tokenizer.vocabulary
    for unit in range(len(features)):
        best = -np.inf
        for tokens, logp in zip(out.beam_tokens[unit], out.beam_logp[unit], strict=True):
            row = tokens.tolist()
            row = row[: row.index(words.stop) + 1] if words.stop in row else row
            prior = captioner.language_model.sequence_logp(torch.tensor([row])).item()
            if logp - temperature * prior > best:
                best, winner = logp - temperature * prior, tokens
        assert out.scores[unit] == pytest.approx(best, abs=1e-4)
        np.testing.assert_array_equal(out.tokens[unit], winner)
    np.testing.assert_allclose(out.logp - temperature * out.logp_lm, out.scores, atol=1e-4)


def test_logp_of_beams_is_the_forced_score(captioner, features):
    for mi in (False, True):
        out = captioner.decode(features[:1], strategy="beam", mi=mi, beam_size=8)
        words = captioner.tokenizer.vocabulary
        for tokens, logp in zip(out.beam_tokens[0], out.beam_logp[0], strict=True):
            row = torch.tensor([[words.start, *tokens.tolist()]])
            with torch.no_grad():
                forced = captioner._forced(row, features[:1])
            assert forced.item() == pytest.approx(logp, abs=1e-4)


def test_mi_subtracts_the_prior_word_by_word(captioner, features):
    out = captioner.decode(features, strategy="beam", beam_size=8, temperature=0.3)
    expected = out.beam_logp - np.float32(0.3) * out.beam_logp_lm
    np.testing.assert_allclose(out.beam_scores, expected, atol=1e-5)
    off = captioner.decode(features, strategy="beam", beam_size=8, temperature=0.3, mi=False)
    np.testing.assert_array_equal(off.beam_scores, off.beam_logp)
    assert not np.allclose(off.beam_scores, out.beam_scores)


def test_sweep_equals_single_runs(captioner, features):
    out = captioner.decode(features, beam_size=10)
    found = sweep(out.beam_logp, out.beam_logp_lm, [0.0, 0.2, 0.8])
    for temperature, index in found.items():
        single = captioner.decode(features, beam_size=10, temperature=temperature)
        chosen = out.beam_tokens[np.arange(len(index)), index]
        np.testing.assert_array_equal(chosen, single.tokens)


@pytest.mark.parametrize("mi", [True, False])
@pytest.mark.parametrize("strategy", ["greedy", "sample"])
def test_forcing_what_was_chosen_gives_the_same_steps(captioner, features, strategy, mi):
    free = captioner.decode(features, strategy, mi=mi, temperature=0.3, length=9, details=True)
    asked = {"targets": free.tokens, "mi": mi, "temperature": 0.3}
    forced = captioner.decode(features, "forced", **asked)
    assert forced.captions == free.captions
    for name in ("tokens", "scores", "logp", "logp_lm", "predictions", "attentions"):
        np.testing.assert_array_equal(getattr(forced, name), getattr(free, name))
    steps = np.take_along_axis(forced.predictions, forced.tokens[..., None], 2)[..., 0]
    np.testing.assert_allclose(steps.sum(1), forced.scores, rtol=1e-5)
    chunked = make(chunk=3).decode(features, "forced", **asked)
    np.testing.assert_allclose(chunked.scores, forced.scores, atol=1e-4)


def test_forced_steps_are_the_definition(captioner, features):
    """Every word of every text, the paddings after the stop too: sum of log p(w | words before)."""
    words, ids = captioner.tokenizer.vocabulary, captioner.tokenizer.encode(["a red dog", "cat"])
    found = captioner.decode(features[:2], "forced", targets=ids[:, 1:], mi=False)
    for unit, row in enumerate(ids[:, 1:].tolist()):
        read, total = [words.start], 0.0
        for place, word in enumerate(row):
            with torch.no_grad():
                hidden, attention = captioner.decoder(
                    torch.from_numpy(features[unit : unit + 1]), torch.tensor([read])
                )
                logp = captioner.decoder.output(hidden[0, -1]).log_softmax(0)
            np.testing.assert_allclose(found.predictions[unit, place], logp, atol=1e-5)
            np.testing.assert_allclose(found.attentions[unit, place], attention[0, -1], atol=1e-5)
            total += logp[word].item()
            read.append(word)
        assert found.scores[unit] == pytest.approx(total, abs=1e-4)
    texts = captioner.score(["a red dog", "cat"], features[:2], mi=False)
    np.testing.assert_allclose(found.logp, texts, atol=1e-4)


def test_weighted_pmi_of_the_result(captioner, features):
    out = captioner.decode(features, temperature=0.3, beam_size=6)
    np.testing.assert_allclose(out.wpmi, out.scores, atol=1e-5)
    np.testing.assert_allclose(out.beam_wpmi.max(1), out.scores, atol=1e-5)
    greedy = captioner.decode(features, "greedy", mi=False, temperature=0.3)
    np.testing.assert_allclose(greedy.wpmi, greedy.logp - 0.3 * greedy.logp_lm, atol=1e-5)
    assert greedy.beam_wpmi is None
    assert make(language_model=False).decode(features, beam_size=4).wpmi is None


def test_ties_in_reranking_go_to_the_earlier_beam():
    index, score = best_beam(np.float32([[-1, -1, -2]]), np.float32([[-3, -3, 0]]), 0.5)
    assert (index.tolist(), score.tolist()) == ([0], [0.5])


def test_score(captioner, features):
    texts = ["a red dog", "grass", "a cat on grass", "zzz", "dog", "", "cat"]
    plain = captioner.score(texts, features, mi=False)
    assert plain.dtype == np.float32
    with_prior = captioner.score(texts, features, mi=True, temperature=0.4)
    prior = captioner.language_model.logp(texts)
    np.testing.assert_allclose(with_prior, plain - 0.4 * prior, atol=1e-5)
    default = captioner.score(texts, features, temperature=0.4)
    np.testing.assert_array_equal(default, with_prior, "as published where there is p(d)")
    np.testing.assert_array_equal(make(language_model=False).score(texts, features), plain)
    broadcast = captioner.score(texts, features[:1])
    repeated = captioner.score(texts, np.repeat(features[:1], 7, axis=0))
    np.testing.assert_allclose(broadcast, repeated, atol=1e-6)
    assert captioner.score([], features[:0]).shape == (0,)


@pytest.mark.parametrize("strategy", ["rerank", "beam", "greedy"])
def test_batches_order_of_exemplars_and_type_change_nothing(features, captioner, strategy):
    whole = captioner.decode(features, strategy, beam_size=8)
    chunked = make(chunk=3).decode(features, strategy, beam_size=8)
    shuffled = captioner.decode(torch.from_numpy(features[:, ::-1].copy()), strategy, beam_size=8)
    for other in (chunked, shuffled):
        assert other.captions == whole.captions
        np.testing.assert_array_equal(other.tokens, whole.tokens)
        np.testing.assert_allclose(other.scores, whole.scores, atol=1e-5)


def test_sampling_is_seeded(captioner, features):
    one = captioner.decode(features, "sample", seed=1)
    assert captioner.decode(features, "sample", seed=1).captions == one.captions
    assert captioner.decode(features, "sample", seed=2).captions != one.captions


def test_modes_and_gradients_are_restored(features):
    captioner = make()
    captioner.train()
    captioner.language_model.eval()
    captioner.decode(features, beam_size=4)
    with pytest.raises(UserError):
        captioner.decode(features, beam_size=4, strategy="rerank", mi=True)
    assert captioner.training
    assert captioner.decoder.training
    assert not captioner.language_model.training
    assert torch.is_grad_enabled()


def test_no_units_and_dead_units(captioner):
    empty = captioner.decode(np.zeros((0, 5, F), np.float32), beam_size=4)
    assert empty.captions == []
    assert empty.beam_tokens.shape[:2] == (0, 4)
    assert captioner.decode(np.zeros((0, 5, F), np.float32), "greedy").captions == []
    dead = captioner.decode(np.zeros((2, 5, F), np.float16), beam_size=4)
    assert np.isfinite(dead.scores).all()


def test_without_a_language_model(features):
    captioner = make(language_model=False)
    out = captioner.decode(features, beam_size=4)
    assert out.logp_lm is None
    assert out.beam_logp_lm is None
    np.testing.assert_array_equal(out.scores, out.beam_scores[:, 0])
    for request in ({"strategy": "rerank"}, {"strategy": "greedy", "mi": True}):
        with pytest.raises(UserError, match="needs a language model"):
            captioner.decode(features, **request)
    with pytest.raises(UserError, match="needs a language model"):
        captioner.score(["a"], features[:1], mi=True)


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"strategy": "rerankk"}, "did you mean 'rerank'"),
        ({"strategy": "rerank", "mi": True}, "already weighs"),
        ({"beam_size": 13}, "vocabulary has 12 ids"),
        ({"beam_size": 0}, "beam_size is 0"),
        ({"length": 0}, "length is 0"),
        ({"strategy": "forced"}, 'targets go with strategy="forced"'),
        ({"targets": [[1]]}, 'targets go with strategy="forced"'),
        ({"strategy": "forced", "targets": [[1, 99]]}, "ids from 0 to 11"),
        ({"strategy": "forced", "targets": [1, 2]}, "ids from 0 to 11"),
        ({"strategy": "forced", "targets": [[1, 2]]}, "targets of 1 units and features of 7"),
    ],
)
def test_refused_requests(captioner, features, request_, sentence):
    with pytest.raises(UserError, match=sentence):
        captioner.decode(features, **{"beam_size": 4, **request_})


def test_refused_features(captioner, features):
    with pytest.raises(UserError, match=r"reads \(units, k, 6\)"):
        captioner.decode(features[..., :3], beam_size=4)
    broken = features.copy()
    broken[5, 0, 0] = np.nan
    with pytest.raises(UserError, match="unit 5 are not finite"):
        captioner.decode(broken, beam_size=4)
    with pytest.raises(UserError, match="3 captions for 7 units"):
        captioner.score(["a", "b", "c"], features)


def test_wide_beams_can_be_clamped(captioner, features):
    out = captioner.decode(features, beam_size=50, clamp_beam=True)
    assert out.beam_scores.shape == (7, 12)


@pytest.mark.parametrize("prior", [True, False])
@pytest.mark.parametrize("options", [{}, {"strategy": "beam"}, {"strategy": "greedy"}])
def test_tables_of_every_strategy_with_and_without_a_prior(tmp_path, features, prior, options):
    """A strategy without beams has one candidate; without p(d) no lambda changes the order."""
    captioner = make(language_model=prior)
    save_captioner(captioner, tmp_path / "c", {"encoder_hash": "e"})
    arrays = {"exact": features.astype(np.float16), "whole": features.astype(np.float16)}
    FeatureTable(arrays, [("x", 7)], {"encoder": "e", "dataset": "d"}).save(tmp_path / "f")
    given = DecodingOptions(**options, beam_size=5, length=6)
    written = {
        "descriptions": tmp_path / "o/descriptions.csv",
        "beams": tmp_path / "o/beams.safetensors",
        "baselines": tmp_path / "o/baselines.csv",
    }
    step = DescribeUnits(
        model="net",
        captioner=[tmp_path / "c" / name for name in CAPTIONER_FILES],
        features=tmp_path / "f",
        decoding=given,
        **written,
    )
    step.run(Compute())
    expected = captioner.decode(arrays["exact"], **given.model_dump())
    rows = read_csv(tmp_path / "o/descriptions.csv")
    assert [row["description"] for row in rows] == expected.captions
    assert {row["side"] for row in rows} == {"test"}, "it does not say what taught it"
    assert all((row["logp_lm"] == "") == (not prior) for row in rows)
    beams = read_beams(tmp_path / "o/beams.safetensors")
    assert beams.logp.shape == (7, 1 if options.get("strategy") == "greedy" else 5)
    if not prior:
        assert not beams.logp_lm.any()
        assert beams.rerank(0.9) == beams.rerank(0.0)
    methods = {row["method"] for row in read_csv(tmp_path / "o/baselines.csv")}
    assert methods == {"whole_image", "greedy", *(["prior_only", "milan_tuned"] if prior else [])}
    plain = [r for r in read_csv(tmp_path / "o/baselines.csv") if r["method"] == "greedy"]
    greedy = captioner.decode(arrays["exact"], "greedy", mi=False, length=6)
    assert [row["description"] for row in plain] == greedy.captions, "without p(d) in any case"


@pytest.mark.parametrize("temperature", [float("nan"), float("inf"), -0.1])
def test_a_temperature_without_meaning_is_refused(captioner, features, temperature):
    with pytest.raises(UserError, match="give a number of at least 0"):
        captioner.decode(features, temperature=temperature, beam_size=2)
