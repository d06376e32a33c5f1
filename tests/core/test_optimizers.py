"""AdamW without torch's compiler gives the numbers of torch's own, and never imports it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from milan_core.core.optimizers import adamw


def _trained(make: Any, **options: Any) -> tuple[list[torch.Tensor], dict[str, Any]]:
    torch.manual_seed(0)
    model = torch.nn.Linear(5, 3)
    optimizer = make(model.parameters(), lr=0.1, weight_decay=0.2, **options)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=8)
    for step in range(8):
        optimizer.zero_grad(set_to_none=True)
        model(torch.full((2, 5), float(step))).square().mean().backward()
        optimizer.step()
        schedule.step()
        if step == 4:  # a killed training goes on from here
            optimizer.load_state_dict(optimizer.state_dict())
    return list(model.parameters()), optimizer.state_dict()


@pytest.mark.parametrize("options", [{}, {"fused": True}])
def test_numbers_are_those_of_torch(options: dict[str, bool]) -> None:
    ours, theirs = (_trained(make, **options) for make in (adamw, torch.optim.AdamW))
    assert all(torch.equal(a, b) for a, b in zip(ours[0], theirs[0], strict=True))
    assert ours[1]["param_groups"] == theirs[1]["param_groups"]
    for name, state in theirs[1]["state"].items():
        assert all(torch.equal(value, ours[1]["state"][name][key]) for key, value in state.items())


def test_no_gradient_is_kept_of_a_step() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = adamw([weight], lr=0.1)
    weight.sum().backward()
    with torch.enable_grad():
        optimizer.step()
        assert torch.is_grad_enabled()
    assert weight.requires_grad
    assert weight.is_leaf


def test_the_compiler_is_not_imported() -> None:
    code = (
        "import sys, torch; from milan_core.core.optimizers import adamw; "
        "w = torch.nn.Parameter(torch.ones(2)); o = adamw([w], lr=0.1); "
        "s = torch.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=2); "
        "o.zero_grad(); w.sum().backward(); o.step(); s.step(); o.load_state_dict(o.state_dict()); "
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_reproducible_results_take_no_root_of_mkl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its roots differ between makers of processors (docs/performance.md)."""
    monkeypatch.setenv("MILAN_REPRODUCIBLE", "1")
    (ours, _), (theirs, _) = _trained(adamw), _trained(torch.optim.AdamW, fused=True)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    weight = torch.nn.Parameter(torch.rand(1000))
    optimizer = adamw([weight], lr=0.1, foreach=True)
    weight.square().sum().backward()
    with Roots() as roots:
        optimizer.step()
    assert not roots.found
    monkeypatch.delenv("MILAN_REPRODUCIBLE")
    with Roots() as roots:
        adamw([weight], lr=0.1).step()
    assert roots.found


class Roots(TorchDispatchMode):
    """Collects the roots that are taken."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "sqrt" in func.overloadpacket.__name__:
            self.found.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))
