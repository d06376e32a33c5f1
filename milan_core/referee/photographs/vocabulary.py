"""Words that can be looked for in photographs: groups of classes, classes, and pixel attributes."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from milan_core.core.yaml_files import load_yaml

GROUPS = Path(__file__).with_name("vocabulary.yaml")
CLASSES = 1000
COLORS = (
    *("black", "white", "gray", "red", "orange", "yellow", "green", "blue", "purple", "pink"),
    "brown",
)
ATTRIBUTES = (
    *COLORS,
    *("bright", "dark", "colorful", "finely textured", "plain"),
    *("vertical lines", "horizontal lines", "diagonal lines"),
)

Kind = Literal["group", "class", "attribute"]


class Word(NamedTuple):
    """A word, and the ImageNet classes that it names; an attribute names none."""

    text: str
    kind: Kind
    classes: frozenset[int] = frozenset()


@functools.cache
def vocabulary() -> tuple[Word, ...]:
    """All words: 143 groups, 1,000 class names, 19 attributes; their texts are distinct."""
    groups = [Word(name, "group", members) for name, members in _groups()]
    taken = {*ATTRIBUTES, *(word.text for word in groups)}  # the color orange, and the fruit
    classes = [
        Word(f"{name}s" if name in taken else name, "class", frozenset({number}))
        for number, name in enumerate(class_names())
    ]
    return (*groups, *classes, *(Word(name, "attribute") for name in ATTRIBUTES))


def class_names() -> list[str]:
    """The names of ImageNet's 1,000 classes, as torchvision has them."""
    from torchvision.models import EfficientNet_B0_Weights

    return list(EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"])


def membership(words: Sequence[Word]) -> np.ndarray:
    """float32 [1000, W]: 1 where a word names a class."""
    table = np.zeros((CLASSES, len(words)), np.float32)
    for column, word in enumerate(words):
        table[sorted(word.classes), column] = 1
    return table


def _groups() -> Iterator[tuple[str, frozenset[int]]]:
    for section in load_yaml(GROUPS).values():
        for name, ranges in section.items():
            yield name, frozenset(_numbers(ranges))


def _numbers(ranges: str) -> Iterator[int]:
    """Numbers of "3 5-7": 3, 5, 6, 7."""
    for part in ranges.split():
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)
