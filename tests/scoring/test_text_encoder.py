"""Our reading of BERT against `transformers`: the same ids, and the same bits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from milan_core.core.errors import UserError
from milan_core.scoring.text_encoder import Bert, _Transformers, load_text_encoder, padded

WORDS = ["a", "red", "blue", "dog", "cat", "bird", "on", "the", "wall", "of", "text", "##s", ","]
TEXTS = ["a red dog", "", "DOGS, cats on the wall of text", "Ünknown [MASK] a\tb", "a " * 90]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A seeded random BERT of two layers."""
    transformers = pytest.importorskip("transformers")
    path = tmp_path_factory.mktemp("bert")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.BertConfig(vocab_size=len(vocabulary), intermediate_size=32, **sizes)
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(path)
    ids = {word: index for index, word in enumerate(vocabulary)}
    transformers.BertTokenizer(vocab=ids, model_max_length=64).save_pretrained(path)
    return path


def test_ids_and_bits_are_those_of_transformers(folder: Path) -> None:
    ours, theirs = Bert(folder), _Transformers(folder)
    assert isinstance(load_text_encoder(folder, "test"), Bert)
    facts = ("layers", "width", "longest", "pad", "special")
    assert [getattr(ours, f) for f in facts] == [getattr(theirs, f) for f in facts]
    for most in (4, 64):
        ids = [ours.ids(text, most) for text in TEXTS]
        assert ids == [theirs.ids(text, most) for text in TEXTS]
        for part in (ids, ids[:1]):  # with a mask, and without
            with torch.inference_mode():
                left, right = (one.states(*padded(part, ours.pad)) for one in (ours, theirs))
            assert len(left) == len(right) == 3
            assert all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("config.json", "hidden_act", "relu"),
        ("config.json", "num_hidden_layers", 3),
        ("tokenizer_config.json", "do_lower_case", False),
        ("tokenizer_config.json", "tokenizer_class", "RobertaTokenizer"),
    ],
)
def test_what_it_cannot_read_goes_to_transformers(
    folder: Path,
    tmp_path: Path,
    name: str,
    key: str,
    value: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for item in folder.iterdir():
        (tmp_path / item.name).write_bytes(item.read_bytes())
    given = json.loads((tmp_path / name).read_text())
    (tmp_path / name).write_text(json.dumps({**given, key: value}))
    monkeypatch.setattr(
        "milan_core.scoring.text_encoder._Transformers", lambda path: ("transformers", path)
    )
    assert load_text_encoder(tmp_path, "test") == ("transformers", tmp_path)


def test_an_encoder_that_lacks_a_layer_is_refused(folder: Path, tmp_path: Path) -> None:
    """transformers fills it with random numbers, which are others in each process."""
    for item in folder.iterdir():
        (tmp_path / item.name).write_bytes(item.read_bytes())
    given = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**given, "num_hidden_layers": 3}))
    with pytest.raises(UserError, match=r"it lacks 16 weights, the first being encoder\.layer\.2"):
        load_text_encoder(tmp_path, "test")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not an encoder of texts for test"):
        load_text_encoder(tmp_path, "test")


def test_no_job_that_scores_texts_imports_transformers(folder: Path) -> None:
    code = (
        "import sys; from milan_core.scoring.bertscore import BertScorer; "
        f"BertScorer({str(folder)!r}, 1).score(['a dog'], [['a cat']]); "
        "sys.exit('transformers' in sys.modules or 'torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_padded_ids_stand_beside_their_mask() -> None:
    ids, mask = padded([[7, 8], [9]], 3)
    np.testing.assert_array_equal(ids, [[7, 8], [9, 3]])
    np.testing.assert_array_equal(mask, [[1, 1], [1, 0]])
