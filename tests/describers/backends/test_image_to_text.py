"""Image-to-text checkpoints as captioners: forced scores, pooled beams, crops, refusals."""

import json

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

from milan_core.captioner.options import BeamOptions
from milan_core.core.errors import UserError
from milan_core.describers.backends.crops import masked_crop, unit_crops
from milan_core.describers.backends.image_to_text import ImageToText
from milan_core.describers.backends.options import ImageToTextOptions
from milan_core.describers.backends.prompted import Prompted
from milan_core.describers.pmi import pmi_describe
from milan_core.describers.units import UnitImages

WORDS = ("a", "red", "dog", "cat", "on", "grass", "the", "blue")
IDS = {word: index for index, word in enumerate(("[PAD]", "[DEC]", "[SEP]", "[UNK]", *WORDS))}
PAD, START, STOP = 0, 1, 2
TEXTS = ["a red dog", "cat", "the blue cat on the grass", "", "dog on a dog"]


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


@pytest.fixture(scope="module", params=list(BUILD))
def checkpoint(request, tmp_path_factory):
    """A folder, and the model in it as a plain function from pixels and ids to logits."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp(request.param)
    model, processor = BUILD[request.param]()
    with torch.no_grad():
        for parameter in model.parameters():
            # Far from uniform, so that a wrong position or image is seen in every score.
            parameter.add_(torch.randn_like(parameter) * 0.3)
    model.eval().save_pretrained(folder)
    save_tokenizer(folder)
    if request.param == "git":
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        processor = transformers.GitProcessor(processor, tokenizer)
    processor.save_pretrained(folder)
    processor = getattr(processor, "image_processor", processor)

    @torch.no_grad()
    def logits(pixels, ids):
        if request.param in ("blip", "git"):
            return model(pixel_values=pixels, input_ids=ids).logits
        return model(pixel_values=pixels, decoder_input_ids=ids).logits

    return folder, processor, logits


def unit(seed=0, k=3, size=40):
    draw = np.random.default_rng(seed)
    images = draw.integers(0, 256, (k, size, size + 8, 3), np.uint8)
    masks = np.zeros(images.shape[:3], bool)
    for index, mask in enumerate(masks):
        mask[4 + index : 30 - index, 6 : 28 + 4 * index] = True
    return UnitImages(images, masks)


def naive(checkpoint, exemplars, text):
    """The definition, one crop, one text and one token at a time."""
    _, processor, logits = checkpoint
    total = 0.0
    crops = unit_crops(exemplars, 0.15, 0.25)
    for crop in crops:
        pixels = torch.as_tensor(np.asarray(processor(crop)["pixel_values"]))
        ids = [START]
        for token in [*(IDS[word] for word in text.split()), STOP]:
            last = logits(pixels, torch.tensor([ids]))[0, -1]
            total += torch.log_softmax(last.double(), 0)[token].item()
            ids.append(token)
    return total / len(crops)


def test_forced_scores_equal_a_token_by_token_loop(checkpoint):
    captioner = load(checkpoint[0])
    units = [unit(0), unit(1, k=2)]
    found = captioner.score(units, [TEXTS, TEXTS[:2]])
    assert [len(row) for row in found] == [5, 2]
    assert found[0].dtype == np.float32
    for exemplars, texts, row in zip(units, (TEXTS, TEXTS[:2]), found, strict=True):
        expected = [naive(checkpoint, exemplars, text) for text in texts]
        np.testing.assert_allclose(row, expected, atol=1e-4)
    assert captioner.score([unit()], [[]])[0].shape == (0,)


def test_candidates_are_scored_pooled_and_sorted(checkpoint):
    captioner = load(checkpoint[0], exemplar_beams=4)
    (found,) = captioner.candidates([unit()], beam_size=6, length=7)
    assert 2 <= len(found.texts) == len(set(found.texts)) <= 6
    assert "" not in found.texts
    assert list(found.logp) == sorted(found.logp, reverse=True)
    expected = [naive(checkpoint, unit(), text) for text in found.texts]
    np.testing.assert_allclose(found.logp, expected, atol=1e-4)


def test_the_search_finds_each_crops_best_caption(checkpoint):
    """A beam as wide as the vocabulary is exhaustive over two tokens."""
    captioner = load(checkpoint[0])
    (states,) = captioner._encoded(unit(k=1), 0)
    found = captioner._proposals(states, len(IDS), 2)
    _, processor, logits = checkpoint
    pixels = processor(unit_crops(unit(k=1), 0.15, 0.25)[0])["pixel_values"]
    pixels = torch.as_tensor(np.asarray(pixels))
    first = torch.log_softmax(logits(pixels, torch.tensor([[START]]))[0, -1], 0)
    scores = {(STOP,): first[STOP].item()}
    for token in range(len(IDS)):
        if token != STOP:
            second = torch.log_softmax(logits(pixels, torch.tensor([[START, token]]))[0, -1], 0)
            scores |= {(token, last): (first[token] + second[last]).item() for last in IDS.values()}
    best = sorted(scores.values(), reverse=True)[: len(found)]
    np.testing.assert_allclose([-score for _, score, _ in found], best, atol=1e-4)


@pytest.mark.parametrize("sizes", [{"crop_batch": 1, "row_batch": 1}, {"crop_batch": 16}])
def test_batch_sizes_change_nothing(checkpoint, sizes):
    units = [unit(0), unit(1, k=5)]
    plain = load(checkpoint[0]).candidates(units, 8, 6)
    other = load(checkpoint[0], **sizes).candidates(units, 8, 6)
    for one, two in zip(plain, other, strict=True):
        assert one.texts == two.texts
        np.testing.assert_allclose(one.logp, two.logp, atol=1e-4)


def test_the_same_call_gives_the_same_bytes(checkpoint):
    captioner = load(checkpoint[0])
    first, second = (captioner.candidates([unit()], 8, 6)[0] for _ in range(2))
    assert first.texts == second.texts
    assert first.logp.tobytes() == second.logp.tobytes()


def test_the_order_of_exemplars_and_those_without_masks_are_irrelevant(checkpoint):
    captioner, exemplars = load(checkpoint[0]), unit(k=4)
    (plain,) = captioner.candidates([exemplars], 4, 6)
    images, masks = exemplars.images[::-1].copy(), exemplars.masks[::-1].copy()
    images = np.concatenate([images, images[:1]])
    masks = np.concatenate([masks, np.zeros_like(masks[:1])])
    (other,) = captioner.candidates([UnitImages(images, masks)], 4, 6)
    assert plain.texts == other.texts
    np.testing.assert_allclose(plain.logp, other.logp, atol=1e-4)


def test_a_dead_unit_is_described_from_nothing(checkpoint):
    captioner = load(checkpoint[0])
    one, two = unit(0), unit(1)
    dead = [UnitImages(u.images, np.zeros_like(u.masks)) for u in (one, two)]
    found = captioner.candidates(dead, 5, 6)
    assert np.isfinite(found[0].logp).all()
    assert found[0].texts == found[1].texts, "its images are not seen"


def test_copies_go_on_from_the_shared_start(checkpoint):
    captioner = load(checkpoint[0])
    states = next(iter(captioner._encoded(unit(), 0)))[:1]
    with torch.no_grad():
        common = captioner._parts.reader(states)
        common.read(torch.tensor([[START]]))
        many = common.copies(3).read(torch.tensor([[4, 5], [4, 6], [7, 8]]))
        single = common.copies(1).read(torch.tensor([[4, 5]]))
    torch.testing.assert_close(many[:1], single, atol=1e-5, rtol=1e-5)


def test_pmi_with_a_prior_of_another_family(checkpoint):
    class Longer:
        def logp(self, texts):
            return np.float32([-10 * len(text.split()) for text in texts])

    captioner = load(checkpoint[0])
    units = [unit(0), unit(1, k=1)]
    options = BeamOptions(temperature=5.0, beam_size=8, length=6)
    plain = pmi_describe(captioner, None, units, options)
    out = pmi_describe(captioner, Longer(), units, options)
    assert plain.captions == [texts[0] for texts in plain.beam_captions]
    assert plain.logp_lm is None
    for caption, texts in zip(out.captions, out.beam_captions, strict=True):
        assert len(caption.split()) == max(len(text.split()) for text in texts)
    np.testing.assert_allclose(out.scores, out.logp - 5 * out.logp_lm, rtol=1e-6)
    assert out.tokens.shape == (2, 0)


def test_crops():
    image = np.full((40, 60, 3), 200, np.uint8)
    mask = np.zeros((40, 60), bool)
    mask[2:38, 50:60] = True
    crop = masked_crop(image, mask, margin=0.0, outside=0.5)
    assert crop.shape == (36, 36, 3)
    assert (crop[:, -10:] == 200).all(), "moved into the image, mask at its right edge"
    assert (crop[:, :-10] == 100).all()
    wide = masked_crop(image, np.ones((40, 60), bool), margin=0.25, outside=0.0)
    assert wide.shape == (90, 90, 3)
    assert (wide[25:65, 15:75] == 200).all()
    assert wide.sum() == 200 * 40 * 60 * 3, "black beyond the image"
    dot = np.zeros((40, 60), bool)
    dot[5, 5] = True
    assert masked_crop(image, dot, 0.15, 0.25).shape == (32, 32, 3)
    assert not masked_crop(image, np.zeros((40, 60), bool), 0.15, 0.25).any()


@pytest.mark.parametrize("source", ["nowhere/at-all", "{tmp}/none", "{tmp}", "{tmp}/config.json"])
def test_a_missing_checkpoint_is_one_sentence(tmp_path, source):
    if source.endswith("json"):
        (tmp_path / "config.json").write_text("{}")
    source = source.format(tmp=tmp_path)
    with pytest.raises(UserError, match=r"place config\.json, model\.safetensors") as caught:
        load(source)
    assert source in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_and_incomplete_checkpoints_are_refused(checkpoint, tmp_path):
    config = json.loads((checkpoint[0] / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(UserError, match="unknown image-to-text architecture 'bert'"):
        load(tmp_path)
    remote = {**config, "model_type": "mine", "auto_map": {"AutoConfig": "mine.Config"}}
    (tmp_path / "config.json").write_text(json.dumps(remote))
    (tmp_path / "mine.py").write_text("raise SystemExit('code of a checkpoint was run')")
    with pytest.raises(UserError, match="no usable image-to-text checkpoint"):
        load(tmp_path)


def test_missing_weights_are_refused_and_not_invented(checkpoint, tmp_path):
    from safetensors.torch import load_file, save_file

    for path in checkpoint[0].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    # A layer norm of the decoder; names of the encoder's differ between library versions.
    norms = [key for key in weights if "LayerNorm.weight" in key or "ln_f.weight" in key]
    name = next((key for key in norms if "decoder" in key), norms[0])
    del weights[name]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="lacks 1 weights") as caught:
        load(tmp_path)
    assert name in str(caught.value)


def test_wrong_exemplars(checkpoint):
    good = unit()
    for bad in (
        UnitImages(good.images.astype(np.float32), good.masks),
        UnitImages(good.images, good.masks[:, :5]),
        UnitImages(good.images[:0], good.masks[:0]),
    ):
        with pytest.raises(UserError, match="unit 0 has images"):
            load(checkpoint[0]).candidates([bad], 3, 4)


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


def test_prompts_go_with_models_that_read_one(checkpoint):
    if "git" not in str(checkpoint[0]):
        with pytest.raises(UserError, match="take no prompt"):
            load(checkpoint[0], prompt="a picture of")
