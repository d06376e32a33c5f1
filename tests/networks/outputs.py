"""Outputs of layers for one batch, as tests compare them."""

import torch

from milan_core.networks.trace import Trace


def layer_outputs(model, layers, batch, *, post_relu=()):
    """Copies of the outputs of `layers`, by name, without gradients."""
    kept = {}

    def keep(name, tensor):
        kept[name] = tensor.detach().clone()

    with torch.no_grad(), Trace(model, layers, keep, post_relu=post_relu) as trace:
        trace(batch)
        return {name: kept[name] for name in trace.layers}
