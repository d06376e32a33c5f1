"""CLIP re-ranking: masked attention against a plain loop, mixing, restored hooks."""

import numpy as np
import pytest
import torch
import transformers
from tiny_checkpoints import save_clip, save_gpt2, save_siglip

from describers.backends.tiny_clip import PATCH, SIZE, TINY, make_model, make_tokenizer
from milan_core.captioner.descriptions import Descriptions
from milan_core.core.errors import UserError
from milan_core.describers.backends.clip import Clip, Siglip, load_encoder
from milan_core.describers.backends.clip_attention import masked_attention
from milan_core.describers.backends.clip_geometry import clip_pixels, patch_masks
from milan_core.describers.backends.clip_rerank import ClipReranker, with_best
from milan_core.describers.backends.options import ClipOptions
from milan_core.describers.units import UnitImages

BEAM = ["a red dog", "cat", "grass", "a cat on red grass", "dog"]
TINY |= {"num_attention_heads": 2}


@pytest.fixture(scope="module")
def model():
    return make_model()


def make(model, tokenizer=None, weight=0.5, legacy=False, **options):
    return ClipReranker(
        Clip(model, tokenizer or make_tokenizer(), **options), weight=weight, legacy=legacy
    )


def unit(seed=0, k=3, height=SIZE, width=SIZE):
    draw = np.random.default_rng(seed)
    images = draw.integers(0, 256, (k, height, width, 3), np.uint8)
    masks = np.zeros(images.shape[:3], bool)
    for index, mask in enumerate(masks):
        mask[3 + index : height - 6, 2 : width // 2 + 3 * index] = True
    return UnitImages(images, masks)


def dead(exemplars):
    return UnitImages(exemplars.images, np.zeros_like(exemplars.masks))


@torch.no_grad()
def naive_embedding(model, pixels, mask, legacy):
    """CLIP's image encoder for one image, one head and one query at a time."""
    vision = model.vision_model
    hidden = vision.pre_layrnorm(vision.embeddings(pixels[None]))[0]
    for layer in vision.encoder.layers:
        attention, normed = layer.self_attn, layer.layer_norm1(hidden)
        size, rows = attention.head_dim, []
        for query in range(len(normed)):
            heads = []
            for head in range(attention.num_heads):
                part = slice(head * size, (head + 1) * size)
                q = attention.q_proj(normed[query])[part] / size**0.5
                weights = torch.softmax(attention.k_proj(normed)[:, part] @ q, 0)
                if query == 0:
                    weights = torch.cat([weights[:1], weights[1:] * mask])
                    weights = weights if legacy else weights / weights.sum()
                heads.append(weights @ attention.v_proj(normed)[:, part])
            rows.append(torch.cat(heads))
        hidden = hidden + attention.out_proj(torch.stack(rows))
        hidden = hidden + layer.mlp(layer.layer_norm2(hidden))
    return model.visual_projection(vision.post_layernorm(hidden[0]))


def embed(model, pixels):
    return model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("legacy", [False, True])
def test_the_masked_pass_is_the_plain_loop(attention, legacy):
    model, exemplars = make_model(attention), unit()
    pixels = clip_pixels(exemplars.images, SIZE)
    mask = patch_masks(exemplars.masks, SIZE, PATCH, legacy=legacy)
    with torch.no_grad(), masked_attention(model.vision_model, mask, legacy=legacy):
        found = embed(model, pixels)
    for image, shares, row in zip(pixels, mask, found, strict=True):
        torch.testing.assert_close(
            row, naive_embedding(model, image, shares, legacy), atol=1e-4, rtol=1e-4
        )
    with torch.no_grad():
        assert (found - embed(model, pixels)).abs().max() > 0.01


def test_a_full_mask_is_the_unmasked_pass_and_an_empty_one_sees_nothing(model):
    pixels = clip_pixels(unit().images, SIZE)
    with torch.no_grad():
        plain = embed(model, pixels)
        with masked_attention(model.vision_model, torch.ones(3, 9)):
            torch.testing.assert_close(embed(model, pixels), plain, atol=1e-5, rtol=1e-5)
        with masked_attention(model.vision_model, torch.zeros(3, 9)):
            blind = embed(model, pixels)
    torch.testing.assert_close(blind, blind[:1].expand_as(blind), atol=1e-5, rtol=1e-5)


def test_attention_is_restored_after_success_error_and_nesting(model):
    modules = [layer.self_attn for layer in model.vision_model.encoder.layers]
    pixels = clip_pixels(unit().images, SIZE)
    with torch.no_grad():
        plain = embed(model, pixels)
        with pytest.raises(RuntimeError), masked_attention(model.vision_model, torch.ones(2, 5)):
            embed(model, pixels)
        assert not any("forward" in vars(module) for module in modules)
        half = torch.full((3, 9), 0.5)
        half[:, 0] = 1
        with masked_attention(model.vision_model, half):
            outer = embed(model, pixels)
            with masked_attention(model.vision_model, torch.ones(3, 9)):
                torch.testing.assert_close(embed(model, pixels), plain, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(embed(model, pixels), outer, atol=0, rtol=0)
        torch.testing.assert_close(embed(model, pixels), plain, atol=0, rtol=0)


def scores(model, exemplars, legacy=False, weight=0.5):
    """Both similarities of every text of BEAM, by definition."""
    tokenizer = make_tokenizer()
    pixels = clip_pixels(exemplars.images, SIZE, legacy=legacy)
    mask = patch_masks(exemplars.masks, SIZE, PATCH, legacy=legacy)
    result = []
    with torch.no_grad():
        for text in BEAM:
            ids = torch.tensor([tokenizer(text)["input_ids"]])
            words = model.text_projection(model.text_model(input_ids=ids).pooler_output)[0]
            cosines = [
                [
                    torch.cosine_similarity(words, naive_embedding(model, p, m, legacy), 0).item()
                    for p, m in zip(pixels, shares, strict=True)
                ]
                for shares in (mask, torch.ones_like(mask))
            ]
            # The plain pass of the published mode is the plain encoder: a full mask.
            result.append([np.sum(row) if legacy else np.mean(row) for row in cosines])
    return np.array(result)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("legacy", [False, True])
def test_similarities_and_order(model, weight, legacy):
    expected = scores(model, unit(), legacy)
    mixed = (1 - weight) * expected[:, 0] + weight * expected[:, 1]
    reranker = make(model, weight=weight, legacy=legacy)
    (found,) = reranker.rerank([unit()], [BEAM])
    assert found.order.tolist() == np.argsort(-mixed).tolist()
    assert found.texts == [BEAM[place] for place in found.order]
    np.testing.assert_allclose(found.similarity, mixed[found.order], atol=1e-4)
    np.testing.assert_allclose(found.masked, expected[found.order, 0], atol=1e-4)
    np.testing.assert_allclose(found.unmasked, expected[found.order, 1], atol=1e-4)
    if weight in (0, 1):
        alone = found.unmasked if weight else found.masked
        np.testing.assert_array_equal(found.similarity, alone)


def test_any_image_size_by_default_and_one_in_legacy_mode(model):
    large = unit(height=40, width=64)
    (found,) = make(model).rerank([large], [BEAM])
    assert np.isfinite(found.similarity).all()
    with pytest.raises(UserError, match=r"24 x 24 pixels only, got 40 x 64"):
        make(model, legacy=True).rerank([large], [BEAM])


@pytest.mark.parametrize("legacy", [False, True])
def test_a_dead_unit_has_no_nan_and_keeps_its_beam(model, legacy):
    reranker = make(model, weight=0.0, legacy=legacy)
    (found,) = reranker.rerank([dead(unit())], [BEAM])
    assert np.isfinite([found.similarity, found.masked, found.unmasked]).all()
    if not legacy:
        assert found.texts == BEAM
        assert not found.masked.any()


def test_exemplars_without_masks_are_no_evidence_for_the_masked_pass(model):
    exemplars, other = unit(), unit(5)
    more = UnitImages(
        *(np.concatenate([a, b]) for a, b in zip(exemplars[:2], dead(other)[:2], strict=True))
    )
    reranker = make(model, weight=0.0)
    one, two = (reranker.rerank([u], [BEAM])[0] for u in (exemplars, more))
    np.testing.assert_allclose(one.masked, two.masked, atol=1e-5)


def test_distinct_texts_are_encoded_once_and_batches_change_nothing(model):
    seen = []

    class Counting:
        def __call__(self, texts, **options):
            seen.extend(texts)
            return make_tokenizer()(texts, **options)

    units = [unit(0), unit(1), unit(2, k=1)]
    beams = [BEAM, BEAM[::-1], ["cat", "cat on grass"]]
    plain = make(model, Counting()).rerank(units, beams)
    assert sorted(seen) == sorted({*BEAM, "cat on grass"})
    small = make(model, text_batch=1).rerank(units, beams)
    again = make(model).rerank(units, beams)
    for one, two, three in zip(plain, small, again, strict=True):
        assert one.texts == two.texts == three.texts
        np.testing.assert_allclose(one.similarity, two.similarity, atol=1e-5)
        np.testing.assert_array_equal(one.similarity, three.similarity)


def test_equal_similarities_keep_the_order_of_the_beam(model):
    beam = ["red zzz", "red yyy", "cat"]  # the first two read the same: unknown words
    (found,) = make(model).rerank([unit()], [beam])
    assert found.texts.index("red zzz") < found.texts.index("red yyy")


def test_the_best_keeps_its_milan_score(model):
    logp = np.float32([[-1, -2, -3, -4, -5]])
    found = Descriptions(
        captions=[BEAM[0]],
        tokens=np.zeros((1, 0), np.int64),
        scores=logp[:, 0],
        logp=logp[:, 0],
        logp_lm=None,
        beam_captions=[BEAM],
        beam_scores=logp,
        beam_logp=logp,
    )
    reranked = make(model).rerank([unit()], [BEAM])
    out = with_best(found, reranked)
    place = int(reranked[0].order[0])
    assert out.captions == [BEAM[place]]
    assert out.scores.tolist() == [-1 - place] == out.logp.tolist()
    with pytest.raises(UserError, match="needs whole beams"):
        with_best(Descriptions([], found.tokens, logp, logp, None), reranked)


def test_loading_and_refusals(model, tmp_path):
    with pytest.raises(UserError, match=r"no usable CLIP checkpoint .* place config\.json"):
        ClipReranker.load(ClipOptions(source=str(tmp_path), weight=0.3))
    model.save_pretrained(tmp_path)
    make_tokenizer().save_pretrained(tmp_path)
    transformers.CLIPImageProcessor(image_mean=[0.5] * 3).save_pretrained(tmp_path)
    loaded = ClipReranker.load(ClipOptions(source=str(tmp_path), weight=0.3))
    direct = make(model, weight=0.3, mean=[0.5] * 3)
    (one,), (two,) = (reranker.rerank([unit()], [BEAM]) for reranker in (loaded, direct))
    np.testing.assert_array_equal(one.similarity, two.similarity)
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(UserError, match="it holds a 'gpt2' model"):
        ClipReranker.load(ClipOptions(source=str(tmp_path), weight=0.3))
    with pytest.raises(UserError, match="got 1 beams for 2 units"):
        loaded.rerank([unit(), unit()], [BEAM])


def test_a_siglip_is_read_as_its_library_reads_it(tmp_path):
    source = save_siglip(tmp_path / "siglip")
    encoder = load_encoder(source)
    assert isinstance(encoder, Siglip)
    assert not isinstance(load_encoder(save_clip(tmp_path / "clip")), Siglip)
    model = transformers.SiglipModel.from_pretrained(source).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    length = model.config.text_config.max_position_embeddings
    ids = tokenizer(["a red dog", "cat"], padding="max_length", max_length=length)["input_ids"]
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)
    pixels = encoder.pixels(images)
    with torch.no_grad():
        whole = model(input_ids=torch.tensor(ids), pixel_values=pixels)
    assert torch.allclose(encoder.embed_texts(["a red dog", "cat"]), whole.text_embeds, atol=1e-5)
    assert torch.allclose(encoder.embed_images(images), whole.image_embeds, atol=1e-5)
    with pytest.raises(UserError, match="CLIP"):
        load_encoder(save_gpt2(tmp_path / "gpt2"))
