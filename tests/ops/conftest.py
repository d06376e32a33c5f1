import pytest

from milan_core import ops
from ops import host_cuda

FACTS = ops.facts()
UNBUILT = "the native core is not built; `pip install -e .` builds it"


@pytest.fixture(params=FACTS.get("cpu_features", []) or ["none"])
def isa(request, monkeypatch):
    """Each instruction set that this processor can run."""
    if request.param == "none":
        pytest.skip(UNBUILT)
    monkeypatch.setenv("MILAN_ISA", request.param)
    return request.param


@pytest.fixture(scope="session")
def host_kernels():
    """The CUDA kernels, built for the host."""
    if not FACTS["native"]:
        pytest.skip(UNBUILT)
    return host_cuda.load()


@pytest.fixture
def device(host_kernels):
    """Host memory counts as device memory within a test, with those kernels."""
    with host_cuda.active(host_kernels) as kernels:
        yield kernels
