"""The fuzzer of stored scans, led by coverage: `fuzz_state` with its choices made by libFuzzer.

    pip install atheris    # not a dependency of the project
    python tests/ops/fuzz_guided.py -max_total_time=60

Each input is a row of choices: which file, which kind of damage, where and what. Inputs that reach
new lines of the readers are kept and changed further. Everything else, and what counts as a
failure, is as in `fuzz_state`.
"""

from __future__ import annotations

import contextlib
import inspect
import random
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import atheris  # type: ignore[import-not-found, unused-ignore]
import fuzz_state

from milan_core.core import files
from milan_core.core.errors import UserError
from milan_core.exemplars import checks, sample, state, store
from milan_core.ops import reference, scan, spec

READERS = (checks, sample, state, store, reference, scan, spec, files)


def watch(module: ModuleType) -> None:
    """Count the branches of all functions of a module: an editable install hides it from hooks."""
    for value in list(vars(module).values()):
        if getattr(value, "__module__", None) != module.__name__:
            continue
        for part in vars(value).values() if inspect.isclass(value) else (value,):
            function = getattr(part, "fget", None) or getattr(part, "__func__", part)
            if inspect.isfunction(function) and function.__module__ == module.__name__:
                atheris.instrument_func(function)


class Chosen(random.Random):
    """Draws that libFuzzer's bytes decide; zeros when they are used up."""

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self._data = atheris.FuzzedDataProvider(data)

    def __new__(cls, data: bytes) -> Chosen:
        """The base class would take the bytes for a seed."""
        return super().__new__(cls)

    def getrandbits(self, k: int) -> int:
        """k bits, at most 64 at a time."""
        bits = 0
        for done in range(0, k, 64):
            bits |= self._data.ConsumeIntInRange(0, (1 << min(64, k - done)) - 1) << done
        return bits

    def random(self) -> float:
        """A number in [0, 1)."""
        return self.getrandbits(16) / 2**16


def main() -> None:
    """Run until libFuzzer's limits; its last line says how many inputs there were."""
    for module in READERS:
        watch(module)
    folder = Path(tempfile.mkdtemp())
    fuzzer, slot = fuzz_state.Fuzzer(folder), fuzz_state.Slot(folder)

    def test_one(data: bytes) -> None:
        _, raw = fuzzer.damaged(Chosen(data))
        if raw is None:
            return
        slot.fill(raw)
        with contextlib.suppress(UserError):
            fuzz_state.use(slot.path)

    atheris.Setup([*sys.argv, "-max_len=512", "-len_control=0"], test_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
