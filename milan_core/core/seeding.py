"""The only place that makes random generators.

A generator is named: the same seed and names give the same stream on every machine, and two
different names never share one.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(seed: int, *names: object) -> int:
    """A 63-bit seed that depends on `seed` and every name."""
    text = "/".join([str(int(seed)), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def generator(seed: int, *names: object) -> np.random.Generator:
    """A NumPy generator for the named purpose."""
    return np.random.Generator(np.random.PCG64(derive(seed, *names)))


def torch_generator(seed: int, *names: object) -> torch.Generator:
    """A torch CPU generator for the named purpose."""
    import torch

    return torch.Generator().manual_seed(derive(seed, *names))


def seed_torch(seed: int, *names: object) -> None:
    """Seed torch's global generator: weight initialization and dropout draw from it."""
    import torch

    torch.manual_seed(derive(seed, *names))
