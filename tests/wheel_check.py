"""Run with an installed wheel and NumPy alone: the native core loads and mines exactly."""

import importlib.metadata

import numpy as np

from milan_core import ops
from milan_core.core.shipped import IN_WHEEL, snakefile

facts = ops.facts()
assert facts["native"], facts
state = ops.ScanState(3, (4, 4), 2, 0.9, 10)
values = np.random.default_rng(0).normal(size=(10, 3, 4, 4)).astype(np.float32)
state.update(values, np.arange(10))
ids, top, _ = state.topk()
maxima = values.max((2, 3)).T  # units x images
assert (top == np.sort(maxima, axis=1)[:, ::-1][:, :2]).all()
assert (ids == np.argsort(-maxima, axis=1)[:, :2]).all()
assert snakefile().startswith(str(IN_WHEEL)), snakefile()
print(importlib.metadata.version("milan-workflow"), facts)
