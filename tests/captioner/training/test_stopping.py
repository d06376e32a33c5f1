"""Which epoch is kept, and what decides: the loop of `fitting`, the split of `pairs`."""

import numpy as np
import pytest
import torch

from milan_core.captioner.options import CaptionerSettings
from milan_core.captioner.training.fitting import StateFile, fit
from milan_core.captioner.training.pairs import build_corpus


@pytest.fixture
def texts():
    """Three texts for each of 60 units."""
    rng = np.random.default_rng(0)
    nouns, colours = ("dog", "cat", "tree", "sky", "wheel", "face"), ("red", "blue", "dark")
    pairs = [(rng.choice(colours), rng.choice(nouns)) for _ in range(60)]
    return [[f"the {c} {n} in the picture", f"a {c} {n}", f"{n}s , {c}"] for c, n in pairs]


class Countdown:
    """A task whose weight is the epoch and whose held-out loss is given."""

    name = "countdown"

    def __init__(self, losses):
        self.model = torch.nn.Linear(1, 1, bias=False)
        self.optimizer = torch.optim.AdamW(self.model.parameters())
        self.losses = losses

    def train_epoch(self, epoch):
        with torch.no_grad():
            self.model.weight.fill_(epoch)
        return 0.0

    def evaluate(self):
        return {"val_loss": self.losses[int(self.model.weight) - 1], "bleu": None}

    def rank(self, row):
        return [-row["val_loss"]]


@pytest.mark.parametrize(
    ("losses", "patience", "best", "epochs"),
    [
        ([5, 4, 3, 6, 6, 6, 6, 6, 1], 4, 3, 8),
        ([5, 4, 3, 6, 6, 6, 6, 2, 9, 9], 4, 8, 10),
        ([1, 1, 1, 1], 2, 1, 4),
        ([3, 2, 1], 4, 3, 3),
    ],
)
def test_the_best_epoch_is_kept_and_patience_is_exceeded_first(
    tmp_path, losses, patience, best, epochs
):
    task = Countdown(losses)
    state = StateFile(tmp_path / "state", "x", 1e9)
    rows = fit(task, state, CaptionerSettings(max_epochs=len(losses), patience=patience))
    assert int(task.model.weight) == best
    assert len(rows) == epochs
    assert [row["epoch"] for row in rows if row["best"]][-1] == best


def test_the_last_epoch_is_kept_on_request(tmp_path):
    task, state = Countdown([5, 4, 3, 6, 6, 6]), StateFile(tmp_path / "state", "x", 1e9)
    rows = fit(task, state, CaptionerSettings(max_epochs=6, patience=1, keep="last"))
    assert int(task.model.weight) == len(rows) == 5, "two epochs past the best, as published"


def test_the_language_model_may_hold_out_single_texts(texts):
    texts = [[*unit[:2], f"only{index}"] for index, unit in enumerate(texts)]
    by_unit, published = (build_corpus(texts, 0.2, 0, how) for how in ("unit", "description"))
    assert by_unit.lm_train is by_unit.train
    assert by_unit.lm_held_out is by_unit.held_out
    learnt, held_out = published.lm_train, published.lm_held_out
    assert len(held_out) == int(0.2 * len(texts) * 3)
    assert len(learnt) + len(held_out) == len(texts) * 3
    assert set(learnt.units) & set(held_out.units), "texts of one unit are on both sides"
    # The captioner still holds out whole units, the same ones; the words are those of all texts.
    assert published.held_out_units.tolist() == by_unit.held_out_units.tolist()
    assert {f"only{unit}" for unit in range(len(texts))} <= set(published.vocabulary.words)
    pairs = sorted(
        (u, tuple(t)) for p in (learnt, held_out) for u, t in zip(p.units, p.texts, strict=True)
    )
    both = (published.train, published.held_out)
    assert pairs == sorted(
        (u, tuple(t)) for p in both for u, t in zip(p.units, p.texts, strict=True)
    )


def test_whole_units_are_held_out_and_bring_no_words(texts):
    texts = [[*unit[:2], f"only{index}"] for index, unit in enumerate(texts)]
    texts[7] = []
    texts[8] = ["", "  "]
    corpus = build_corpus(texts, 0.2, 0)
    held_out, train = set(corpus.held_out.units), set(corpus.train.units)
    assert not held_out & train
    assert held_out | train == set(range(60)) - {7, 8}
    assert len(held_out) == int(0.2 * 58)
    assert sorted(held_out) == corpus.held_out_units.tolist()
    assert {f"only{unit}" for unit in train} <= set(corpus.vocabulary.words)
    assert not {f"only{unit}" for unit in held_out} & set(corpus.vocabulary.words)
    assert any(corpus.vocabulary.unk in text for text in corpus.held_out.texts)
    assert [unit[-1] for unit in corpus.references] == [f"only{unit}" for unit in sorted(held_out)]
    assert build_corpus(texts, 0.2, 0).held_out_units.tolist() == corpus.held_out_units.tolist()
    assert build_corpus(texts, 0.2, 1).held_out_units.tolist() != corpus.held_out_units.tolist()


def test_batches_are_as_wide_as_their_longest_text():
    corpus = build_corpus([["a"], ["a b c d e f"], ["a b"]] * 10, 0.1, 0)
    widths = [tokens.shape[1] for _, tokens in corpus.train.batches(1)]
    assert widths == [len(text) for text in corpus.train.texts]
    rng = np.random.default_rng(0)
    seen = np.concatenate([units for units, _ in corpus.train.batches(4, rng)])
    assert sorted(seen) == sorted(corpus.train.units)
