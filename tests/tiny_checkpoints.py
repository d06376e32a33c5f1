"""Tiny random `transformers` checkpoints, saved to disk as their published kin are."""

from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = ("a", "red", "dog", "cat", "on", "grass", "the", "blue", "circle", "stripes")
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
IDS = {word: index for index, word in enumerate((*SPECIAL, *WORDS))}
NAMES = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
TINY = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1}
TINY |= {"num_attention_heads": 2}


def _save(model, folder: Path, processor=None, ends: bool = False) -> str:
    words = Tokenizer(models.WordLevel(IDS, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    if ends:
        pair = [(name, IDS[name]) for name in ("<s>", "</s>")]
        words.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=pair)
    extra = {"sep_token": "</s>"}
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, **NAMES, **extra)
    for part in filter(None, (model, tokenizer, processor)):
        part.save_pretrained(folder)
    return str(folder)


def save_blip(folder: Path) -> str:
    """A BLIP captioner."""
    torch.manual_seed(0)
    ids = {"pad_token_id": 0, "bos_token_id": 1, "sep_token_id": 2, "eos_token_id": 2}
    config = transformers.BlipConfig(
        text_config={
            **TINY,
            **ids,
            "vocab_size": len(IDS),
            "encoder_hidden_size": 16,
            "max_position_embeddings": 32,
        },
        vision_config={**TINY, "image_size": 32, "patch_size": 16},
    )
    processor = transformers.BlipImageProcessor(size={"height": 32, "width": 32})
    return _save(transformers.BlipForConditionalGeneration(config), folder, processor)


def save_gpt2(folder: Path) -> str:
    """A causal language model."""
    torch.manual_seed(1)
    config = transformers.GPT2Config(
        **{"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 32, "vocab_size": len(IDS)},
        **{"bos_token_id": 1, "eos_token_id": 2},
    )
    return _save(transformers.GPT2LMHeadModel(config), folder)


def save_bert(folder: Path) -> str:
    """An encoder of texts with as many layers as BERTScore reads by default."""
    torch.manual_seed(4)
    sizes = {**TINY, "num_hidden_layers": 5, "vocab_size": len(IDS)}
    config = transformers.BertConfig(**sizes, max_position_embeddings=64)
    return _save(transformers.BertModel(config), folder, ends=True)


def save_clip(folder: Path) -> str:
    """A CLIP."""
    torch.manual_seed(2)
    ids = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    config = transformers.CLIPConfig(
        text_config={**TINY, **ids, "vocab_size": len(IDS), "max_position_embeddings": 20},
        vision_config={**TINY, "image_size": 32, "patch_size": 8},
        projection_dim=12,
    )
    size = {"shortest_edge": 32}
    crop = {"height": 32, "width": 32}
    processor = transformers.CLIPImageProcessor(size=size, crop_size=crop)
    return _save(transformers.CLIPModel(config), folder, processor, ends=True)


def save_siglip(folder: Path) -> str:
    """A SigLIP."""
    torch.manual_seed(3)
    config = transformers.SiglipConfig(
        text_config={
            **TINY,
            "vocab_size": len(IDS),
            "max_position_embeddings": 12,
            **{"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
        },
        vision_config={**TINY, "image_size": 32, "patch_size": 8},
    )
    size = {"height": 32, "width": 32}
    processor = transformers.SiglipImageProcessor(size=size)
    return _save(transformers.SiglipModel(config), folder, processor, ends=True)
