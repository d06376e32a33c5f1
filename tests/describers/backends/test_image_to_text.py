"""Image-to-text checkpoints as captioners: forced scores, pooled beams, crops, refusals."""

import json

import numpy as np
import pytest
import torch
import transformers

from milan_core.captioner.options import BeamOptions
from milan_core.core.errors import UserError
from milan_core.describers.backends.crops import masked_crop, unit_crops
from milan_core.describers.pmi import pmi_describe
from milan_core.describers.units import UnitImages
from tests.describers.backends.tiny_captioners import (
    BUILD,
    IDS,
    START,
    STOP,
    load,
    save_tokenizer,
    unit,
)

TEXTS = ["a red dog", "cat", "the blue cat on the grass", "", "dog on a dog"]


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


def test_prompts_go_with_models_that_read_one(checkpoint):
    if "git" not in str(checkpoint[0]):
        with pytest.raises(UserError, match="take no prompt"):
            load(checkpoint[0], prompt="a picture of")
