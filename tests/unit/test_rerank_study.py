"""The study of decoding strategies: what is decoded, and what is said about it."""

import numpy as np
import pytest
import torch

from milan_core.describe.captioner import Captioner
from milan_core.describe.decoder import Decoder
from milan_core.describe.language_model import LanguageModel
from milan_core.experiments.rerank_report import sentences, write_study
from milan_core.experiments.rerank_study import COLUMNS, TIMING, _Decoding, trials
from milan_core.experiments.sections import read_section
from milan_core.runtime.files import write_csv
from milan_core.text.vocabulary import Tokenizer, Vocabulary

OPTIONS = {
    **{"beams": [1, 6], "lambdas": [0.0, 0.5], "token_lambdas": [0.3], "token_beam": 4},
    **{"samples": 2, "length": 8},
}


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
    decoding = _Decoding(captioner, features, OPTIONS)
    found = {(t.strategy, t.beams, t.weight): t.rounds for t in trials(decoding, OPTIONS, 3)}
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
    assert len(decoding.costs) == 1 + 2 + 1 + 1 + 2
    assert all(cost >= 0 for _, _, cost in decoding.costs)


def row(strategy, beams, weight, accuracy, gain, distinct):
    values = dict.fromkeys(COLUMNS, "") | {"model": "net", "strategy": strategy, "beams": beams}
    values |= {"lambda": weight, "concept_accuracy": accuracy, "distinct": distinct, "bleu": 20.0}
    values |= {"gain": gain, "gain_low": gain - 0.02, "gain_high": gain + 0.02, "n": 10}
    return values


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
    assert "beam with 10 beams, 52.0 %, but not beyond chance" in sentences(weak, 0.2, 10)[1]


def test_tables_figure_and_section(tmp_path):
    folder = tmp_path / "net"
    rows = [[r[name] for name in COLUMNS] for r in study(55)]
    write_csv(folder / "table.csv", COLUMNS, rows)
    write_csv(folder / "timing.csv", TIMING, [["net", "greedy", 1, 10, 0.1, 10.0]])
    bytes_of = []
    for out in (tmp_path / "a", tmp_path / "b"):
        write_study([folder / "table.csv"], 0.2, 50, out)
        bytes_of.append([(out / n).read_bytes() for n in ("table.csv", "study.svg")])
        section = read_section(out / "section.json")
        assert {item.path for item in section.items} == {"study.svg", "table.csv", "timing.csv"}
    assert bytes_of[0] == bytes_of[1]
