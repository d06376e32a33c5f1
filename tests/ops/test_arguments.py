"""Arguments of any type, and errors of torch, NumPy and C++ as sentences."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from milan_core import ops
from milan_core.core.errors import UserError


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([[[[1.0]]]], "must be an array or a tensor, got list"),
        (torch.ones(1, 1, 1, 1, device="meta"), "torch's meta device; they have no values"),
        (torch.ones(1, 1, 1, 1).to_sparse(), "sparse_coo tensor; convert them with to_dense"),
        (
            SimpleNamespace(is_nested=True),
            "a nested tensor; pad them with to_padded",
        ),
        (
            SimpleNamespace(is_nested=False, is_quantized=True),
            "quantized; convert them with dequantize",
        ),
    ],
)
def test_what_cannot_be_borrowed_is_one_sentence(values, words):
    with pytest.raises(UserError, match=words):
        ops.ScanState(1, (1, 1), 1, 0.9, 1).update(values, np.arange(1))


def test_a_tensor_with_a_gradient_is_read():
    state = ops.ScanState(1, (1, 1), 1, 0.9, 1)
    state.update(torch.full((1, 1, 1, 1), 3.0, requires_grad=True), np.arange(1))
    assert state.topk()[1].tolist() == [[3.0]]


def test_signs_and_zeros_that_torch_only_notes_are_read():
    """DLPack exports neither: a negated view would lose its sign, zeros have no memory."""
    negated = torch._neg_view(torch.full((1, 1, 1, 1), 3.0))
    zeros = torch._efficientzerotensor((1, 1, 1, 1))
    for values, want in ((negated, -3.0), (zeros, 0.0)):
        state = ops.ScanState(1, (1, 1), 1, 0.9, 1)
        state.update(values, np.arange(1))
        assert state.topk()[1].tolist() == [[want]]


@pytest.mark.parametrize(
    "ids",
    [
        torch.arange(1, device="meta"),
        torch.ones(1, requires_grad=True),
        torch.ones(1, dtype=torch.bfloat16),
        [[1], [2, 3]],
    ],
)
def test_image_numbers_of_other_kinds_are_one_sentence(ids):
    state = ops.ScanState(1, (1, 1), 1, 0.9, 1)
    with pytest.raises(UserError, match="image_ids must be a row of integers"):
        state.update(np.ones((1, 1, 1, 1), np.float32), ids)


def test_numbers_of_any_type():
    state = ops.ScanState(np.int64(1), np.array([2, 2]), np.int32(1), np.float32(0.5), np.int64(3))
    assert state.spec.quantiles == (0.5,)
    for quantile in (np.array(0.5), torch.tensor(0.5), torch.tensor([0.5])):
        assert ops.ScanState(1, (2, 2), 1, quantile, 3).spec.quantiles == (0.5,)
    maps, levels = np.ones((1, 2, 2), np.float32), np.zeros(1, np.float32)
    assert ops.masks(maps, levels, np.int64(8)).shape == (1, 8, 1)
    assert ops.masks(maps, levels, (np.int64(8), 16)).shape == (1, 8, 2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ops.ScanState(1, 5, 1, 0.5, 3), r"map_shape must be \(height, width\), got 5"),
        (lambda: ops.ScanState(2**30, (9, 9), 2**30, 0.5, 3), "lower k"),
        (lambda: ops.ScanState(2.5, (9, 9), 1, 0.5, 3), "units must be a whole number, got 2.5"),
        (lambda: ops.ScanState(1, (9, None), 1, 0.5, 3), "width must be a whole number, got None"),
        (lambda: ops.ScanState(1, (9, 9), "1", 0.5, 3), "k must be a whole number, got '1'"),
        (lambda: ops.ScanState(1, (9, 9), 1, None, 3), "quantiles must be numbers, got None"),
        (
            lambda: ops.masks(torch.ones(1, 2, 2, dtype=torch.bfloat16), np.ones(1, "f4"), 8),
            "maps must be a float32 NumPy array; .*BFloat16",
        ),
        (
            lambda: ops.masks(torch.ones(1, 2, 2, requires_grad=True), np.ones(1, "f4"), 8),
            "maps must be a float32 NumPy array; .*grad",
        ),
        (lambda: ops.masks(np.ones((1, 2, 2), "f4"), np.ones(1, "f4"), (8, 8, 8)), "size must be"),
        (lambda: ops.masks(np.ones((1, 2, 2), "f4"), np.ones(1, "f4"), 8.5), "size must be"),
    ],
)
def test_raw_errors_are_sentences(call, words):
    with pytest.raises(UserError, match=words):
        call()
