"""Tiny image-to-text models and units for the tests of their backends."""

import numpy as np
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

from milan_core.describers.backends.image_to_text import ImageToText
from milan_core.describers.backends.options import ImageToTextOptions
from milan_core.describers.units import UnitImages

WORDS = ("a", "red", "dog", "cat", "on", "grass", "the", "blue")
IDS = {word: index for index, word in enumerate(("[PAD]", "[DEC]", "[SEP]", "[UNK]", *WORDS))}
PAD, START, STOP = 0, 1, 2


def load(source, crop_batch=4, row_batch=16, **options):
    chosen = ImageToTextOptions(family="image_to_text", source=str(source), **options)
    return ImageToText.load(chosen, crop_batch=crop_batch, row_batch=row_batch)


def save_tokenizer(folder):
    words = Tokenizer(models.WordLevel(IDS, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words,
        **{"pad_token": "[PAD]", "bos_token": "[DEC]", "sep_token": "[SEP]", "unk_token": "[UNK]"},
    )
    tokenizer.save_pretrained(folder)


def tiny_blip():
    common = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    common |= {"num_attention_heads": 2}
    config = transformers.BlipConfig(
        text_config={
            **common,
            "vocab_size": len(IDS),
            "encoder_hidden_size": 16,
            "max_position_embeddings": 32,
            "pad_token_id": PAD,
            "bos_token_id": START,
            "sep_token_id": STOP,
            "eos_token_id": STOP,
        },
        vision_config={**common, "image_size": 32, "patch_size": 16},
    )
    model = transformers.BlipForConditionalGeneration(config)
    processor = transformers.BlipImageProcessor(size={"height": 32, "width": 32})
    return model, processor


def tiny_encoder_decoder():
    encoder = transformers.ViTConfig(
        **{"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 1},
        **{"num_attention_heads": 2, "image_size": 32, "patch_size": 16},
    )
    decoder = transformers.GPT2Config(
        **{"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, "vocab_size": len(IDS)},
        **{"bos_token_id": START, "eos_token_id": STOP, "add_cross_attention": True},
    )
    config = transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.eos_token_id, config.pad_token_id = START, STOP, PAD
    model = transformers.VisionEncoderDecoderModel(config)
    return model, transformers.ViTImageProcessor(size={"height": 32, "width": 32})


def tiny_git():
    """A model that reads a prompt: image first, then the text so far."""
    config = transformers.GitConfig(
        **{
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
        },
        **{"vocab_size": len(IDS), "max_position_embeddings": 64},
        **{"pad_token_id": PAD, "bos_token_id": START, "eos_token_id": STOP},
        vision_config={
            **{"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1},
            **{"num_attention_heads": 2, "image_size": 32, "patch_size": 16},
        },
    )
    size = {"height": 32, "width": 32}
    crop = {"do_center_crop": False, "size": size}
    return transformers.GitForCausalLM(config), transformers.CLIPImageProcessor(**crop)


BUILD = {"blip": tiny_blip, "encoder-decoder": tiny_encoder_decoder, "git": tiny_git}


def unit(seed=0, k=3, size=40):
    draw = np.random.default_rng(seed)
    images = draw.integers(0, 256, (k, size, size + 8, 3), np.uint8)
    masks = np.zeros(images.shape[:3], bool)
    for index, mask in enumerate(masks):
        mask[4 + index : 30 - index, 6 : 28 + 4 * index] = True
    return UnitImages(images, masks)
