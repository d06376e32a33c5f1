"""CLIP's image encoder looking at a region: the class token attends to masked patches only.

Only the query of the class token is changed, in every layer; patches attend to each other as
always. With a the attention weights of the class query after the softmax, m the mask in [0, 1] per
patch:

* renormalized (default): a_j m_j divided by their sum, the class token's own weight a_0 included.
  This is the softmax with log m_j added to the logits: a full mask changes nothing, and an empty
  one leaves the class token to itself.
* published (`legacy`): a_j m_j as they are, a_0 untouched, so that a small mask also shrinks what
  the layer adds (specification 4.6 and 6.2, defect 22).
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


@contextlib.contextmanager
def masked_attention(vision_model: Any, mask: Tensor, *, legacy: bool = False) -> Iterator[None]:
    """Inside the block, the encoder's class token sees patches through `mask` only.

    The forward of every attention module is replaced, whatever attention implementation the model
    was loaded with, and put back in any case.

    Args:
        vision_model: the `vision_model` of a `transformers` CLIP; must get len(mask) images.
        mask: float (N, patches), 0 to 1, patches in row order.
        legacy: do not renormalize, as published.
    """
    modules = [layer.self_attn for layer in vision_model.encoder.layers]
    before = [vars(module).get("forward") for module in modules]
    try:
        for module in modules:
            module.forward = functools.partial(_forward, module, mask, legacy)
        yield
    finally:
        for module, forward in zip(modules, before, strict=True):
            vars(module).pop("forward", None)
            if forward is not None:
                module.forward = forward


def _forward(
    module: Any, mask: Tensor, legacy: bool, hidden_states: Tensor, *_: Any, **__: Any
) -> tuple[Tensor, None]:
    """Attention of one layer, (N, T, D) to (N, T, D); the softmax in float32."""
    count, length, width = hidden_states.shape
    heads = (count, length, -1, module.head_dim)

    def split(values: Tensor) -> Tensor:
        return values.view(heads).transpose(1, 2)

    queries = split(module.q_proj(hidden_states)) * module.head_dim**-0.5
    keys, values = split(module.k_proj(hidden_states)), split(module.v_proj(hidden_states))
    logits = (queries @ keys.transpose(-1, -2)).float()  # [N, heads, T, T]
    patches = mask.to(logits)[:, None]  # [N, 1, T - 1]
    if not legacy:
        logits[:, :, 0, 1:] += patches.log()
    weights = torch.softmax(logits, dim=-1)
    if legacy:
        weights[:, :, 0, 1:] *= patches
    mixed = (weights.to(values.dtype) @ values).transpose(1, 2).reshape(count, length, width)
    return module.out_proj(mixed), None
