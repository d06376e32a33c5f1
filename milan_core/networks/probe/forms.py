"""From the shapes of a layer's output in three passes to the names of its axes, or a refusal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import torch

from milan_core.core.errors import UserError
from milan_core.networks.axes import Axes
from milan_core.networks.probe.passes import FIRST, OTHER, THIRD
from milan_core.networks.probe.places import MARGIN, changes, share

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Seen:
    """The outputs of one layer in all passes of the probe.

    Args:
        layer: its name.
        first: its shape for two images.
        third: its output for five images, the last four of which differ in one quarter each.
        other: its shape for three images of another size; None where the network takes none.
        modules: the channel axis by the modules that ran before it; None where they are at odds.
        sides: height and width of the images, and of those of the other size; None for inputs of
            another form.
        token_counts: numbers of tokens of layers before it, where no map has that length.
        channels_last: what four axes mean where nothing tells.

    """

    layer: str
    first: Shape
    third: torch.Tensor
    other: Shape | None
    modules: int | None
    sides: tuple[int, int] | None
    other_sides: tuple[int, int] | None = None
    token_counts: frozenset[int] = frozenset()
    channels_last: bool = False


def settle_axes(seen: Seen) -> tuple[Axes, str]:
    """The axes of a layer, and what told them.

    Raises:
        UserError: where the images have no axis of their own, and where nothing tells the axis of
            the channels; the sentence names the key `axes`.

    """
    shape, images = seen.first, _images_axis(seen)
    rest = [axis for axis in range(len(shape)) if axis != images]
    if not rest:
        _refuse(seen, "one number an image, which has no axis of channels", "choose another layer")
    if len(rest) == 1:
        return _named(len(shape), images, rest[0], []), "only axis"
    if len(rest) > 3:
        looks = "more axes than images, channels, rows and columns"
        _refuse(seen, looks, _say(seen, "b c t c", "for heads that are parts of the channels"))
    wide = [axis for axis in rest if shape[axis] > 1]
    if len(wide) <= 1:
        usual = wide[0] if wide else rest[-1] if len(rest) == 2 else rest[0]
        channels, how = _only_wide(seen, images, rest, usual) if wide else (usual, "only axis")
        places = [axis for axis in rest if axis != channels]
        return _named(len(shape), images, channels, places), how
    channels, how = _channel_axis(seen, images, rest)
    places = [axis for axis in rest if axis != channels]
    if len(places) == 2:
        places = _rows_first(seen, places)
    return _named(len(shape), images, channels, places), how


def _images_axis(seen: Seen) -> int:
    """The axis that has one row for each image."""
    first, third = seen.first, tuple(seen.third.shape)
    if len(first) != len(third):
        looks = f"and {third} for {THIRD}, so its number of axes changes"
        _refuse(seen, looks, "choose another layer")
    rows = [i for i in range(len(first)) if first[i] * THIRD == third[i] * FIRST and first[i]]
    alone = [axis for axis in rows if first[axis] == FIRST]
    if len(alone) == 1 and len(rows) == 1:
        changed = [i for i in range(len(first)) if i != alone[0] and first[i] != third[i]]
        if changed:
            looks = f"and {third} for {THIRD}, so its size depends on the images"
            _refuse(seen, looks, _other_layer(seen))
        return alone[0]
    if len(rows) > 1:
        looks = "it compares images with each other"
    elif rows:
        count = first[rows[0]] // FIRST
        looks = f"axis {rows[0]} has {count} rows an image, such as windows, patches or proposals"
        hint, when = _inside_rows(seen, rows[0], count)
        _refuse(seen, looks, _say(seen, hint, when), hint)
    else:
        looks = "no axis counts the images"
    return _refuse(seen, looks, _other_layer(seen))


def _inside_rows(seen: Seen, axis: int, count: int) -> tuple[str, str]:
    """A line for layers with several rows an image, and what it is for.

    Larger images have more windows of one size. Where they have as many rows and more tokens, the
    rows are places within patches, of which one token each is taken, as in MobileViT.
    """
    other, side = seen.other, math.isqrt(count)
    same_rows = other is not None and len(other) == 3 and other[axis] == count * OTHER
    if same_rows and side**2 == count and axis == 0 and len(seen.first) == 3:
        return f"(b h={side} w={side}) (y x) c", "for places within patches, as in MobileViT"
    return "(b y x) (h w) c", "for windows in rows and columns"


def _only_wide(seen: Seen, images: int, rest: Sequence[int], wide: int) -> tuple[int, str]:
    """The axis of the channels where one axis alone is longer than 1: that, or one channel.

    A layer that gives each place one number, such as a score of each token, has one unit.
    """
    others = [axis for axis in rest if axis != wide]
    varying = _varying(seen, images, rest)
    if varying and wide in varying:
        one = [axis for axis in others if axis not in varying]
        if one:
            return next((axis for axis in one if axis == seen.modules), one[0]), "input size"
    elif varying is None and seen.modules in others:
        return int(seen.modules or 0), "modules"
    return wide, "only axis"


def _channel_axis(seen: Seen, images: int, rest: Sequence[int]) -> tuple[int, str]:
    varying = _varying(seen, images, rest)
    if varying is not None and len(varying) == len(rest):
        _refuse(
            seen,
            "all its axes change with the size of the input, as those of attention weights do",
            _other_layer(seen),
        )
    fixed = [axis for axis in rest if axis not in (varying or ())]
    if varying and len(varying) == len(rest) - 1:
        _refuse_attention(seen, varying)
        return fixed[0], "input size"
    candidates = [axis for axis in fixed if _fits(seen, [a for a in rest if a != axis])]
    if varying is not None and not varying and _answers(seen, images, rest) is None:
        looks = "no axis changes with the size of the input, so its places are not those of images"
        if seen.modules not in candidates or len(rest) == 2:
            _refuse(seen, looks, _say(seen, _guess(seen, images, rest), "if it is that"))
    if seen.modules in candidates:
        return int(seen.modules or 0), "modules"
    answer = _answers(seen, images, rest)
    places = [seen.first[axis] for axis in rest if axis != answer]
    if len(places) == 2 and set(places) <= seen.token_counts:
        looks = "two axes count the same tokens, as those of attention weights do"
        _refuse(seen, looks, _other_layer(seen))
    if seen.modules is None and answer in candidates:
        return int(answer or 0), "places"
    if seen.channels_last and images == 0 and rest[-1] in candidates and len(rest) == 3:
        return rest[-1], "channels_last"
    looks, guess = "which axis holds the channels cannot be seen", _guess(seen, images, rest)
    if not candidates:
        looks = "its axes are not rows and columns of the image, such as heads of attention"
    if patches := _patches_last(seen, images, rest, varying):
        what = "for places within patches and the patches, as in MobileViTv2"
        _refuse(seen, looks, _say(seen, patches, what), patches)
    return _refuse(seen, looks, _say(seen, guess, "if it is that"), guess)


def _patches_last(
    seen: Seen, images: int, rest: Sequence[int], varying: Sequence[int] | None
) -> str:
    """A line for (b, c, places within patches, patches): only the last axis grows with the input.

    Empty where it is not that.
    """
    if images != 0 or len(rest) != 3 or list(varying or ()) != [3]:
        return ""
    side = math.isqrt(seen.first[2])
    return f"b c (h={side} w={side}) (y x)" if side > 1 and side**2 == seen.first[2] else ""


def _varying(seen: Seen, images: int, rest: Sequence[int]) -> list[int] | None:
    """Axes whose length changes with the size of the input; None where that was not seen."""
    other, shape = seen.other, seen.first
    if other is None or len(other) != len(shape) or other[images] != OTHER:
        return None
    return [axis for axis in rest if other[axis] != shape[axis]]


def _refuse_attention(seen: Seen, varying: Sequence[int]) -> None:
    """Two axes that both count tokens are no rows and columns."""
    if len(varying) != 2 or seen.sides is None or seen.other_sides is None or seen.other is None:
        return
    a, b = (seen.first[axis] for axis in varying)
    x, y = (seen.other[axis] for axis in varying)
    square = seen.sides[0] == seen.sides[1] and seen.other_sides[0] != seen.other_sides[1]
    if square and a == b > 3 and x == y:
        looks = "two axes count the same tokens, as those of attention weights do"
        _refuse(seen, looks, _other_layer(seen))


def _fits(seen: Seen, places: Sequence[int]) -> bool:
    """Whether two axes may be rows and columns: as long as each other for square images."""
    if len(places) != 2 or seen.sides is None or seen.sides[0] != seen.sides[1]:
        return True
    return seen.first[places[0]] == seen.first[places[1]]


def _answers(seen: Seen, images: int, rest: Sequence[int]) -> int | None:
    """The axis of the channels by where the others answer to a change; None where none does."""
    if seen.sides is None:
        return None
    differences = changes(seen.third.movedim(images, 0))
    shares = {}
    for axis in rest:
        places = [rest.index(a) for a in rest if a != axis]
        shares[axis] = share(differences, tuple(places)) - share(differences, (rest.index(axis),))
    best = max(shares, key=lambda axis: shares[axis])
    others = [value for axis, value in shares.items() if axis != best]
    return best if shares[best] > MARGIN and shares[best] > max(others) + MARGIN / 2 else None


def _rows_first(seen: Seen, places: Sequence[int]) -> list[int]:
    """The two axes of places, rows first, where another size of input shows it."""
    if seen.other is None or seen.sides is None or seen.other_sides is None:
        return list(places)
    down, across = (new / old for new, old in zip(seen.other_sides, seen.sides, strict=True))
    ratios = [seen.other[axis] / seen.first[axis] for axis in places]
    as_is = abs(ratios[0] - down) + abs(ratios[1] - across)
    turned = abs(ratios[0] - across) + abs(ratios[1] - down)
    return list(reversed(places)) if turned < as_is - 0.05 else list(places)


def _named(count: int, images: int, channels: int, places: Sequence[int]) -> Axes:
    letters = [""] * count
    letters[images], letters[channels] = "b", "c"
    for axis, letter in zip(places, "t" if len(places) == 1 else "hw", strict=False):
        letters[axis] = letter
    return Axes.parse(" ".join(letters))


def _guess(seen: Seen, images: int, rest: Sequence[int]) -> str:
    """A line to start from, for the sentence."""
    usual = {2: [*"tc"], 3: [*"chw"]}[len(rest)]
    usual.insert(images, "b")
    return " ".join(usual)


def _say(seen: Seen, text: str, when: str) -> str:
    return (
        f'name its axes with `axes: {{"{seen.layer}": "{text}"}}` (--axes \'{seen.layer}='
        f"{text}') {when}, or choose the block that holds it"
    )


def _other_layer(seen: Seen) -> str:
    return f'choose another layer, or name its axes with `axes: {{"{seen.layer}": ...}}`'


class Unsettled(UserError):
    """A layer whose axes cannot be known; `looks` is the short reason, `hint` a line for `axes`."""

    def __init__(self, message: str, looks: str, hint: str = "") -> None:
        super().__init__(message)
        self.looks, self.hint = looks, hint


def _refuse(seen: Seen, looks: str, fix: str, hint: str = "") -> NoReturn:
    shape = f"a tensor of shape {seen.first}"
    msg = f"layer {seen.layer!r} gives {shape} for {FIRST} images: {looks}; {fix}"
    raise Unsettled(msg, looks, hint)
