"""The generator BigGAN."""

import torch

from milan_core.networks.adapters import biggan


def test_attention_of_a_generator_holds_one_image_at_a_time(monkeypatch):
    """A batch's table of 16,384 x 4,096 weights an image would take more memory than a GPU has."""
    torch.manual_seed(0)
    attention = biggan.SelfAttention(16)
    attention.gamma.data.fill_(0.5)
    maps = torch.randn(3, 16, 8, 8)
    sizes, whole = [], torch.nn.functional.scaled_dot_product_attention

    def watched(query, key, value, **options):
        sizes.append(len(query))
        return whole(query, key, value, **options)

    monkeypatch.setattr(biggan.functional, "scaled_dot_product_attention", watched)
    found = attention(maps)
    assert sizes == [1, 1, 1]
    pooled = torch.nn.functional.max_pool2d
    weights_of = torch.einsum(
        "bcq,bck->bqk", attention.theta(maps).flatten(2), pooled(attention.phi(maps), 2).flatten(2)
    ).softmax(2)
    mixed = torch.einsum("bqk,bck->bcq", weights_of, pooled(attention.g(maps), 2).flatten(2))
    expected = 0.5 * attention.o(mixed.unflatten(2, (8, 8))) + maps
    assert torch.allclose(found, expected, atol=1e-5)
