import pytest

from milan_core import ops

FACTS = ops.facts()


@pytest.fixture(params=FACTS.get("cpu_features", []) or ["none"])
def isa(request, monkeypatch):
    """Each instruction set that this processor can run."""
    if request.param == "none":
        pytest.skip("the native core is not built; `pip install -e .` builds it")
    monkeypatch.setenv("MILAN_ISA", request.param)
    return request.param
