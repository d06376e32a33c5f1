"""Files of concept masks: written, read, and refused where their arrays do not fit each other."""

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.core.tensors import load_tensors, save_tensors
from milan_core.describers.concepts import KIND, VERSION, ConceptMasks, ConceptsMeta


@pytest.fixture
def written(tmp_path):
    """Two images with one and two of three concepts, in masks of 5 x 5, and their file."""
    rng = np.random.default_rng(0)
    images = [(which, rng.random((len(which), 5, 5)) < 0.5) for which in ([2], [0, 1])]
    names, categories = ["a", "b", "c"], ["object"] * 3
    masks = ConceptMasks.collect(names, categories, images, 5, dataset="d", source="s")
    masks.save(tmp_path / "c.safetensors")
    return masks, tmp_path / "c.safetensors"


def test_a_file_gives_the_masks_back(written):
    masks, path = written
    found = ConceptMasks.load(path)
    assert (found.areas() == masks.areas()).all()
    assert found.presence().tolist() == [[False, False, True], [True, True, False]]


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("members", lambda a: a[:-1], "do not divide 2 masks"),
        ("starts", lambda a: a[::-1], "do not divide 3 masks"),
        ("starts", lambda a: a[:0], "do not divide 3 masks"),
        ("bits", lambda a: a[:, :0], r"bits: expected \(3, 1\), got \(3, 0\)"),
        ("members", lambda a: a + 1, "not one of 3"),
        ("members", lambda a: a - 1, "not one of 3"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(written, name, change, said):
    _, path = written
    arrays, meta = load_tensors(path, KIND, ConceptsMeta, (VERSION,))
    changed = {**arrays, name: np.ascontiguousarray(change(arrays[name]))}
    save_tensors(path, KIND, VERSION, changed, meta.model_dump())
    with pytest.raises(UserError, match=said):
        ConceptMasks.load(path)
