"""Arrays are as declared, or a sentence says which one is not."""

import numpy as np
import pytest

from milan_core.core.shapes import check_arrays

FORMS = {"a": "float32 units 2", "b": "int64 units", "c": "floats k"}
GOOD = {"a": np.zeros((3, 2), np.float32), "b": np.zeros(3, np.int64), "c": np.zeros(0, np.float16)}


def test_arrays_as_declared_and_others_pass():
    check_arrays(GOOD, FORMS)
    check_arrays({**GOOD, "more": np.zeros(())}, FORMS, units=3, k=0)


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("a", np.zeros((3, 2)), r"a is float64 \(3, 2\), expected float32 units 2"),
        ("a", np.zeros(3, np.float32), r"a is float32 \(3,\)"),
        ("a", np.zeros((3, 1), np.float32), "a has 1 columns, expected 2"),
        ("b", np.zeros(4, np.int64), "b has 4 units, expected 3"),
        ("c", np.zeros(2, np.int64), "c is int64"),
        ("c", np.zeros(1), "c has 1 k, expected 0"),
    ],
)
def test_others_are_named(name, array, words):
    with pytest.raises(ValueError, match=words):
        check_arrays({**GOOD, name: array}, FORMS, k=0)


def test_a_missing_one_is_named():
    with pytest.raises(ValueError, match="it has no array 'b'"):
        check_arrays({"a": GOOD["a"]}, FORMS)
