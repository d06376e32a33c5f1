"""Code and command of a step in a run that holds the kernels of its libraries.

They stand for those of `core.identity` and `core.step` where the configuration has
`reproducible: true`; the identity differs, so what ran otherwise runs again.
"""

from __future__ import annotations

from milan_core.core import identity, step
from milan_core.core.reproducible import SWITCH


def step_code(*names: str) -> str:
    """The identity of a step's code, and that its kernels are held."""
    return f"{identity.step_code(*names)}-reproducible"


def command(name: str) -> str:
    """The shell command of a step that holds the kernels of its libraries."""
    return f"{SWITCH}=1 {step.command(name)}"
