"""Words of photographs: groups are sets of ImageNet's classes, texts are distinct."""

import numpy as np

from milan_core.referee.photographs.vocabulary import (
    ATTRIBUTES,
    CLASSES,
    class_names,
    membership,
    vocabulary,
)


def test_words_are_distinct_and_name_classes():
    words = vocabulary()
    kinds = [word.kind for word in words]
    assert [kinds.count(kind) for kind in ("group", "class", "attribute")] == [143, CLASSES, 19]
    assert len({word.text for word in words}) == len(words)
    groups = {word.text: word.classes for word in words if word.kind == "group"}
    names = class_names()
    assert {names[number] for number in groups["bears"]} == {
        *("brown bear", "American black bear", "ice bear", "sloth bear"),
    }
    assert groups["dogs"] < groups["carnivores"] < groups["mammals"] < groups["animals"]
    assert all(groups[name] and max(groups[name]) < CLASSES for name in groups)
    assert words[-1].text == ATTRIBUTES[-1]


def test_membership_counts_the_classes_of_each_word():
    words = [word for word in vocabulary() if word.text in ("bears", "ice bear", "brown")]
    table = membership(words)
    assert table.shape == (CLASSES, 3)
    assert table.sum(0).tolist() == [4, 1, 0]
    assert np.flatnonzero(table[:, 1]).tolist() == [296]
