"""Everything here needs a CUDA device and a build with kernels."""

import pytest
import torch

from milan_core.ops import cuda


@pytest.fixture(autouse=True)
def device():
    """The first CUDA device."""
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device; run `pytest -m gpu` on a machine with one")
    if cuda.kernels() is None:
        pytest.skip("the CUDA kernels are not built; `pip install -e .` with nvcc builds them")
    return torch.device("cuda", 0)
