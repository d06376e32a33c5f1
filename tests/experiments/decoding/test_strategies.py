"""The study of decoding strategies: what is decoded, and what is said about it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from milan_core.captioner.captioner import Captioner
from milan_core.captioner.decoder import Decoder
from milan_core.captioner.language_model import LanguageModel
from milan_core.captioner.vocabulary import Tokenizer, Vocabulary
from milan_core.core.files import write_csv
from milan_core.core.section import read_section
from milan_core.core.step import Compute
from milan_core.experiments.decoding.figure import _panel
from milan_core.experiments.decoding.options import StrategyOptions
from milan_core.experiments.decoding.section import sentences
from milan_core.experiments.decoding.step import StrategyTable
from milan_core.experiments.decoding.strategies import TimedCaptioner, decode_all
from milan_core.experiments.decoding.tables import COLUMNS, TIMING
from milan_core.scoring.bootstrap import Bootstrap
from milan_core.scoring.compared import HALVES, compared_row, first_half
from milan_core.scoring.scorer import ACCURACY, Measured

OPTIONS = StrategyOptions(
    beams=[1, 6], lambdas=[0.0, 0.5], token_lambdas=[0.3], token_beam=4, samples=2
)


@pytest.fixture(scope="module")
def captioner():
    torch.manual_seed(0)
    tokenizer = Tokenizer(Vocabulary(("a", "dog", "cat", "red", "on", "grass")))
    decoder = Decoder(5, tokenizer.vocabulary.size, embedding=4, hidden=8)
    with torch.no_grad():
        decoder.output.weight.mul_(8)
    return Captioner(decoder, LanguageModel(tokenizer, embedding=4, hidden=8), tokenizer).eval()


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(0).normal(size=(4, 3, 5)).astype(np.float32)


def test_every_strategy_is_the_captioners_own(captioner, features):
    timed = TimedCaptioner(captioner, features, length=8)
    found = {(d.strategy, d.beams, d.weight): d.rounds for d in decode_all(timed, OPTIONS, 3)}
    assert next(iter(found)) == ("greedy", 1, 0.0)
    decode = {"features": features, "length": 8}
    for key, more in {
        ("greedy", 1, 0.0): {"strategy": "greedy", "mi": False},
        ("greedy-mi", 1, 0.3): {"strategy": "greedy", "mi": True, "temperature": 0.3},
        ("beam-mi", 4, 0.3): {
            **{"strategy": "beam", "mi": True, "temperature": 0.3, "beam_size": 4}
        },
        ("beam", 6, 0.0): {"strategy": "beam", "mi": False, "beam_size": 6},
        ("rerank", 6, 0.5): {"strategy": "rerank", "temperature": 0.5, "beam_size": 6},
        ("rerank", 1, 0.5): {"strategy": "beam", "mi": False, "beam_size": 1},
    }.items():
        assert found[key] == [captioner.decode(**decode, **more).captions], key
    draws = [
        captioner.decode(**decode, strategy="sample", mi=False, seed=3 + i).captions for i in (0, 1)
    ]
    assert found["sample", 1, 0.0] == draws
    assert len(timed.costs) == 1 + 2 + 1 + 1 + 2
    assert all(cost >= 0 for _, _, cost in timed.costs)


def row(strategy, beams, weight, accuracy, gain, distinct):
    values = dict.fromkeys(COLUMNS, "") | {"model": "net", "strategy": strategy, "beams": beams}
    values |= {
        "lambda": weight,
        "judged_by": "concept_accuracy",
        "concept_accuracy": accuracy,
        "distinct": distinct,
        "bleu": 20.0,
    }
    values |= {"gain": gain, "gain_low": gain - 0.02, "gain_high": gain + 0.02, "n": 10}
    values |= {"half": accuracy + 0.01, "other": accuracy - 0.01, "other_gain": gain - 0.05}
    return values | {"other_gain_low": gain - 0.09, "other_gain_high": gain - 0.01}


def study(distinct):
    return [
        row("greedy", 1, 0.0, 0.5, 0.0, 30),
        row("beam", 10, 0.0, 0.52, 0.02, 40),
        row("rerank", 10, 0.2, 0.6, 0.1, distinct),
    ]


def test_sentences_follow_the_numbers():
    text = sentences(study(55), 0.2, 50)[1]
    assert "rerank with 10 beams and λ 0.2, 60.0 %, +10.0 points (interval +8.0 to +12.0)" in text
    assert "from 52.0 % to 60.0 %" in text
    assert "+15: more diverse" in text
    assert "-5: not more diverse" in sentences(study(35), 0.2, 50)[1]
    weak = [*study(55)[:2], row("rerank", 10, 0.2, 0.51, 0.01, 55)]
    text = sentences(weak, 0.2, 10)[1]
    assert "beam with 10 beams, 52.0 %, which cannot be told from no gain (only 3 points" in text


def test_the_price_of_naming_more_concepts_stands_beside():
    rows = study(55)
    rows[0] |= {"false_names": 0.2, "mean_words": 2.5}
    rows[2] |= {"false_names": 0.5, "mean_words": 3.2}
    text = sentences(rows, 0.2, 50)[1]
    assert "with 3.2 words and 0.50 false names per description in place of 2.5 and 0.20" in text


def test_the_best_row_is_also_chosen_apart():
    rows = study(55)
    rows[1] |= {"half": 0.7, "other": 0.45, "other_gain": -0.04}
    rows[1] |= {"other_gain_low": -0.09, "other_gain_high": 0.01}
    text = sentences(rows, 0.2, 50)[1]
    assert "most concepts are named by rerank with 10 beams and λ 0.2, 60.0 %" in text
    assert (
        "the best of 3 rows on the units that it was chosen on, a figure that is too good" in text
    )
    assert (
        "Chosen on one half of the units it is beam with 10 beams (70.0 % there), which names "
        "45.0 % on the other half (of the same network, and of the same concepts), which cannot be "
        "told from no gain (only 7 points or more would have been seen): -4.0 points (interval "
        "-9.0 to +1.0) against greedy decoding (49.0 %)" in text
    )
    unknown = [row | dict.fromkeys(HALVES, "") for row in study(55)]
    assert "Chosen on one half" not in sentences(unknown, 0.2, 50)[1]


def test_halves_are_of_the_judged_units_and_those_of_every_strategy():
    correct = np.array([1.0, 0, np.nan, 1, 1, 0, np.nan, 0, 1])
    base = np.where(np.isnan(correct), np.nan, 0.0)
    half = first_half(~np.isnan(correct), 5)
    assert half.sum() == 3
    assert not half[np.isnan(correct)].any()
    measures = (Measured({}, {ACCURACY: values}) for values in (correct, base))
    found = compared_row(*measures, Bootstrap(5, 100), np.arange(9))
    rest = ~half & ~np.isnan(correct)
    assert found["half"] == correct[half].mean()
    assert found["other"] == found["other_gain"] == correct[rest].mean()
    assert (first_half(~np.isnan(base), 5) == half).all()
    assert (3 * found["half"] + 4 * found["other"]) / 7 == pytest.approx(found[ACCURACY])


def test_every_line_of_the_figure_has_its_own_look():
    rows = [row("greedy", 1, 0.0, 0.5, 0.0, 30)]
    rows += [row("rerank", width, w, 0.5, 0.0, 30) for width in (1, 5, 10, 20, 50) for w in (0, 1)]
    rows += [row(name, 5, w, 0.5, 0.0, 30) for name in ("greedy-mi", "beam-mi") for w in (0, 1)]
    looks = {}
    seen = SimpleNamespace(axhline=lambda *_, **__: None)
    seen.plot = lambda *_, label, color, marker, **__: looks.update({label: (color, marker)})
    _panel(seen, rows, ACCURACY)
    assert len(looks) == 7
    assert len({colour for colour, _ in looks.values()}) == 7


def test_tables_figure_and_section(tmp_path):
    folder = tmp_path / "net"
    rows = [[r[name] for name in COLUMNS] for r in study(55)]
    write_csv(folder / "table.csv", COLUMNS, rows)
    write_csv(folder / "timing.csv", TIMING, [["net", "greedy", 1, 10, 0.1, 10.0]])
    bytes_of = []
    for out in (tmp_path / "a", tmp_path / "b"):
        StrategyTable(
            tables=[folder / "table.csv"],
            timings=[folder / "timing.csv"],
            temperature=0.2,
            beam_size=50,
            table=out / "table.csv",
            timing=out / "timing.csv",
            figure=out / "study.svg",
            section=out / "section.json",
        ).run(Compute())
        bytes_of.append([(out / n).read_bytes() for n in ("table.csv", "study.svg")])
        section = read_section(out / "section.json")
        assert section.name == "decoding"
        assert {item.path for item in section.items} == {"study.svg", "table.csv", "timing.csv"}
    assert bytes_of[0] == bytes_of[1]
