"""Sentences that refuse a layer whose activations cannot be compared between images."""

from __future__ import annotations

from milan_core.core.errors import UserError


def changes_each_time(layer: str, difference: float) -> UserError:
    """The refusal of a layer that stays random in evaluation; `difference` is relative."""
    return UserError(
        f"layer {layer!r} answers differently each time it is shown the same images, by "
        f"{difference:.2g} of its largest value: something stays random in evaluation, such as "
        "dropout or masking; switch it off in the factory or its `kwargs`, or choose a layer "
        "before it"
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
