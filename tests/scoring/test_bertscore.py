"""Our BERTScore: known cases, and the package bert_score on a tiny random BERT and on MiniLM."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.scoring.bertscore import BertScorer

WORDS = ["a", "red", "blue", "dog", "cat", "bird", "on", "the", "wall", "of", "text", "##s", ","]
PREDICTIONS = ["a red dog", "text on the wall", "blue sky", "dogs , cats", "unknown bird ."]
REFERENCES = [
    ["the red dog", "dog on the wall", "a bird"],
    ["text", "the text of a dog", "brick wall"],
    ["blue sky", "the red sky", "a cat"],
    ["cats", "dogs on a wall", "a dog , a cat"],
    ["bird", "the bird of the sky", "strange birds"],
]


@pytest.fixture(scope="module")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a seeded random BERT of two layers and a 20-word vocabulary."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("tiny-bert")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=0.5,
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
    tokens = {word: index for index, word in enumerate(vocabulary)}
    tokenizer = transformers.BertTokenizer(vocab=tokens, do_lower_case=True, model_max_length=64)
    tokenizer.save_pretrained(folder)
    return folder


def reference_scores(folder: Path, layer: int, idf: bool) -> np.ndarray:
    """The package's P, R, F with the maximum over the references of each prediction."""
    package = pytest.importorskip("bert_score")
    flat = [text for group in REFERENCES for text in group]
    scorer = package.BERTScorer(
        model_type=str(folder),
        num_layers=layer,
        idf=idf,
        idf_sents=flat if idf else None,
        nthreads=0,
        device="cpu",
    )
    values = scorer.score(PREDICTIONS, REFERENCES)
    return np.stack([column.numpy() for column in values], axis=1)


@pytest.mark.parametrize("idf", [False, True])
@pytest.mark.parametrize("layer", [1, 2])
def test_agrees_with_the_package(tiny_bert: Path, layer: int, idf: bool) -> None:
    ours = BertScorer(tiny_bert, layer=layer, idf=idf).score(PREDICTIONS, REFERENCES)
    np.testing.assert_allclose(ours, reference_scores(tiny_bert, layer, idf), atol=1e-5)


@pytest.mark.network
@pytest.mark.skipif("MILAN_MINILM" not in os.environ, reason="MILAN_MINILM names no model folder")
@pytest.mark.parametrize("idf", [False, True])
def test_agrees_with_the_package_on_minilm(idf: bool) -> None:
    folder = Path(os.environ["MILAN_MINILM"])
    ours = BertScorer(folder, layer=5, idf=idf).score(PREDICTIONS, REFERENCES)
    np.testing.assert_allclose(ours, reference_scores(folder, 5, idf), atol=1e-5)


def test_equal_texts_score_one_and_the_best_reference_counts(tiny_bert: Path) -> None:
    scorer = BertScorer(tiny_bert, layer=2, idf=False)
    scores = scorer.score(["a red dog"], [["blue sky", "a red dog"]])
    np.testing.assert_allclose(scores, 1.0, atol=1e-6)
    alone = scorer.score(["a red dog"], [["blue sky"]])
    assert (alone < 0.999).all()
    precision, recall, f_score = alone[0]
    assert f_score == pytest.approx(2 * precision * recall / (precision + recall))


def test_empty_texts_score_zero(tiny_bert: Path) -> None:
    for idf in (False, True):
        scorer = BertScorer(tiny_bert, layer=2, idf=idf)
        scores = scorer.score(["", " ", "dog"], [["dog"], ["cat", "bird"], [""]])
        np.testing.assert_array_equal(scores, 0.0)
        assert scorer.score([], []).shape == (0, 3)


def test_a_score_does_not_depend_on_its_neighbours(tiny_bert: Path) -> None:
    scorer = BertScorer(tiny_bert, layer=2, idf=False, batch_size=2)
    together = scorer.score(PREDICTIONS, REFERENCES)
    fresh = BertScorer(tiny_bert, layer=2, idf=False)
    alone = [fresh.score([p], [r])[0] for p, r in zip(PREDICTIONS, REFERENCES, strict=True)]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_every_text_is_encoded_once(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = BertScorer(tiny_bert, layer=2)
    scorer.score(PREDICTIONS, REFERENCES)
    monkeypatch.setattr(scorer, "_load", lambda: pytest.fail("encoded again"))
    scorer.score(list(reversed(PREDICTIONS)), REFERENCES)


def test_weights_come_from_the_named_documents(tiny_bert: Path) -> None:
    scorer = BertScorer(tiny_bert, layer=2)
    everywhere = scorer.score(["a red dog"], [["a blue dog"]], idf_from=["a dog", "a sky"])
    own = scorer.score(["a red dog"], [["a blue dog"]])
    assert not np.allclose(everywhere, own)


def test_fingerprint_names_model_layer_and_weighting(tiny_bert: Path) -> None:
    first, second = (BertScorer(tiny_bert, layer=k, idf=bool(k - 1)) for k in (1, 2))
    assert first.fingerprint.endswith("_L1_no-idf_raw")
    assert second.fingerprint.endswith("_L2_idf-of-references_raw")
    assert first.fingerprint == BertScorer(tiny_bert, layer=1, idf=False).fingerprint


def test_mistakes_are_answered(tiny_bert: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no transformers model"):
        BertScorer(tmp_path, layer=5)
    with pytest.raises(UserError, match=r"layer 9 .* layers 0 to 2"):
        BertScorer(tiny_bert, layer=9).score(["a"], [["a"]])
    with pytest.raises(ValueError, match="one non-empty list"):
        BertScorer(tiny_bert, layer=2).score(["a"], [[]])
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="not an encoder of texts for BERTScore"):
        BertScorer(tmp_path, layer=5).score(["a"], [["a"]])
