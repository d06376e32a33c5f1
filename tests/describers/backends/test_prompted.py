"""Image-to-text models that read a prompt: marks for the image, its keys kept for all words."""

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

from milan_core.core.errors import UserError
from milan_core.describers.backends.crops import unit_crops
from milan_core.describers.backends.prompted import Prompted
from tests.describers.backends.tiny_captioners import IDS, START, STOP, load, unit


@pytest.fixture(scope="module")
def llava(tmp_path_factory):
    """A model whose prompt has a mark for the image, which its processor writes out."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("llava")
    words = Tokenizer(models.WordLevel({**IDS, "<image>": len(IDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words,
        **{"pad_token": "[PAD]", "bos_token": "[DEC]", "eos_token": "[SEP]", "unk_token": "[UNK]"},
        extra_special_tokens={"image_token": "<image>"},
    )
    common = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    common |= {"num_attention_heads": 2}
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**common, image_size=32, patch_size=16),
        text_config=transformers.LlamaConfig(
            **common, vocab_size=len(IDS) + 1, bos_token_id=START, eos_token_id=STOP
        ),
        image_token_index=len(IDS),
    )
    model = transformers.LlavaForConditionalGeneration(config)
    size = {"height": 32, "width": 32}
    images = transformers.CLIPImageProcessor(do_center_crop=False, size=size)
    marks = {"patch_size": 16, "vision_feature_select_strategy": "default"}
    marks |= {"image_token": "<image>", "num_additional_image_tokens": 1}
    processor = transformers.LlavaProcessor(images, tokenizer, **marks)
    for part in (model, tokenizer, processor):
        part.save_pretrained(folder)
    return folder, model.eval(), processor


def test_a_prompt_with_a_mark_for_the_image(llava):
    folder, model, processor = llava
    captioner = load(folder, prompt="<image> the")
    exemplars, texts = unit(k=2), ["a red dog", "cat"]
    (found,) = captioner.score([exemplars], [texts])
    expected = np.zeros(2)
    for crop in unit_crops(exemplars, 0.15, 0.25):
        for place, text in enumerate(texts):
            made = processor(images=[crop], text=["<image> the"], return_tensors="pt")
            for token in [*(IDS[word] for word in text.split()), STOP]:
                with torch.no_grad():
                    logits = model(**made).logits[0, -1]
                expected[place] += torch.log_softmax(logits.double(), 0)[token].item() / 2
                made["input_ids"] = torch.cat([made["input_ids"], torch.tensor([[token]])], 1)
                made["attention_mask"] = torch.ones_like(made["input_ids"])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    (pool,) = captioner.candidates([exemplars], 3, 4)
    assert np.isfinite(pool.logp).all()
    with pytest.raises(UserError, match="the prompt 'the' does not suit this model"):
        load(folder, prompt="the").score([exemplars], [texts])


def test_the_image_is_read_once_for_all_words(llava):
    kept, anew = load(llava[0], prompt="<image> the"), load(llava[0], prompt="<image> the")
    assert kept._parts.keeps
    anew._parts.keeps = False
    units, texts = [unit(k=2), unit(1, k=3)], [["a red dog", "cat"], ["the cat"]]
    for one, other in zip(kept.score(units, texts), anew.score(units, texts), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    pools = [one.candidates(units, 4, 5) for one in (kept, anew)]
    for one, other in zip(*pools, strict=True):
        assert one.texts == other.texts
        np.testing.assert_allclose(one.logp, other.logp, atol=1e-4)


def test_a_model_whose_cache_is_wrong_reads_everything_anew(llava):
    """Keys that were kept are not used where the logits would be others."""
    _, model, processor = llava

    class Forgetful(torch.nn.Module):
        """Drops what it has kept."""

        config, generation_config = model.config, model.generation_config

        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, past_key_values=None, attention_mask=None, **rest):
            cut = attention_mask[:, : input_ids.shape[1]]
            return self.model(input_ids=input_ids, attention_mask=cut, **rest)

    assert Prompted(model, processor, "<image> the").keeps
    assert not Prompted(Forgetful(), processor, "<image> the").keeps
