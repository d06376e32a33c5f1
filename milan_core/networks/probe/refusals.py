"""Sentences that refuse a layer whose activations cannot be compared between images."""

from __future__ import annotations

import torch

from milan_core.core.errors import UserError


def changes_each_time(layer: str, difference: float) -> UserError:
    """The refusal of a layer that stays random in evaluation; `difference` is relative."""
    return UserError(
        f"layer {layer!r} answers differently each time it is shown the same images, by "
        f"{difference:.2g} of its largest value: something stays random in evaluation, such as "
        "dropout, masking or observers of quantization; switch it off in the factory or its "
        "`kwargs`, or choose a layer before it"
    )


def depends_on_batch(layer: str, difference: float) -> UserError:
    """The refusal of a layer whose answer to an image depends on the rest of its batch."""
    return UserError(
        f"layer {layer!r} gives an image other values in other company, by {difference:.2g} of its "
        "largest value: something depends on the batch, such as BatchNorm without running "
        "statistics; give it fixed ones in the factory or its `kwargs`, or choose a layer before it"
    )


def out_of_place(layer: str, share: float, axes: str) -> UserError:
    """The refusal of a layer of which only `share` of the cells answer where the image changes."""
    return UserError(
        f"layer {layer!r} does not answer where the image changes ({share:.0%} of its cells, as "
        f"{axes!r}): its rows, columns or tokens are not in the order of the image, such as those "
        f'of windows; say their order with `axes: {{"{layer}": "b (y=N x=N h w) c"}}` '
        "(or `tokens`), or choose a layer whose output is a map"
    )


def drifted(layer: str, difference: float) -> UserError:
    """The refusal of a layer whose answer to one image has changed since the beginning."""
    return UserError(
        f"layer {layer!r} gives the first image other values at the end than at the beginning, by "
        f"{difference:.2g} of its largest value: the network keeps something that changes with "
        "every batch, such as a running average, an observer of quantization or a cache; switch "
        "it off in the factory or its `kwargs`, or choose a layer before it"
    )


def sets_parameters(model: str) -> UserError:
    """The refusal of a network whose first forward pass has set parameters."""
    return UserError(
        f"{model} changes its own parameters when it runs, as layers do that take their first "
        "numbers from the images (ActNorm): its results would depend on the images that come "
        "first; run it once in the factory, or load weights and say there that they are set"
    )


def ran_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error says that there is no more memory, of a GPU or of the host."""
    kinds = (torch.OutOfMemoryError, MemoryError)
    return isinstance(error, kinds) or "DefaultCPUAllocator" in str(error)


def takes_groups(error: UserError, first: int, then: int) -> UserError:
    """The refusal of a network that runs on `first` images and fails on `then`."""
    return UserError(
        f"{error}; it ran on {first} images of this size and fails on {then}: where it takes its "
        "rows in groups, such as pairs or the frames of a clip, wrap it in a module that takes "
        "any number of images"
    )
