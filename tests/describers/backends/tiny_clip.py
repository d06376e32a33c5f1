"""A CLIP of few units with a tokenizer of six words."""

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

SIZE, PATCH = 24, 8
WORDS = ("a", "red", "dog", "cat", "on", "grass")
IDS = {word: index for index, word in enumerate(("<pad>", "<s>", "<unk>", *WORDS, "</s>"))}
TINY = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}


def make_tokenizer():
    words = Tokenizer(models.WordLevel(IDS, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [(name, IDS[name]) for name in ("<s>", "</s>")]
    words.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=ends)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=words,
        **{"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
    )


def make_model(attention="sdpa"):
    torch.manual_seed(0)
    config = transformers.CLIPConfig(
        text_config={
            **TINY,
            "vocab_size": len(IDS),
            "max_position_embeddings": 10,
            "bos_token_id": IDS["<s>"],
            "eos_token_id": IDS["</s>"],
            "pad_token_id": IDS["<pad>"],
        },
        vision_config={**TINY, "image_size": SIZE, "patch_size": PATCH},
        projection_dim=12,
        attn_implementation=attention,
    )
    model = transformers.CLIPModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Sharp attention, so that masking it changes much.
            parameter.add_(torch.randn_like(parameter) * 0.4)
    return model
