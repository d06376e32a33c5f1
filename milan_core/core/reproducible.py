"""Results that depend less on the machine: libraries are held to one kind of kernel.

torch, oneDNN, MKL, OpenBLAS and NumPy choose kernels by the processor, and kernels differ in the
order of their sums: the same training ends with other weights on another machine. Each of them
reads a variable of the environment when it is loaded; `hold` sets these. MKL promises equal results
on processors of all makers only for COMPATIBLE, whose products take about twice as long. Two things
have no such variable: roots of MKL, which `optimizers` does without, and recurrent layers of oneDNN
(`plain_recurrence`).

`reproducible: true` in the configuration, or MILAN_REPRODUCIBLE=1 in the environment of a command.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from milan_core.core.errors import UserError

SWITCH = "MILAN_REPRODUCIBLE"
KERNELS = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "MILAN_ISA": "avx2",
}


def asked() -> bool:
    """Whether the environment asks to hold the kernels."""
    return os.environ.get(SWITCH, "") not in ("", "0")


def hold() -> None:
    """Set the variables; has an effect before NumPy and torch are imported."""
    os.environ.update(KERNELS)


def one_thread() -> None:
    """Let NumPy's products run on one thread, unless the environment says otherwise.

    Their last digits depend on the number of threads, which is that of the cores by itself: a dot
    product of 200,000 numbers has other bytes on one core than on two. Jobs of the workflow have
    one thread; a command of a person's is to give the same. Has an effect before NumPy is imported.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@contextlib.contextmanager
def plain_recurrence() -> Iterator[None]:
    """Run the block's recurrent layers by torch's own products, where the environment asks for it.

    oneDNN's recurrent kernels could not be tried on other processors: they crash in an emulator.
    """
    if not asked():
        yield
        return
    import torch

    onednn: Any = torch.backends.mkldnn
    before, onednn.enabled = onednn.enabled, False
    try:
        yield
    finally:
        onednn.enabled = before


def check_held(device: str) -> dict[str, object]:
    """Facts for a record where the environment asks to hold the kernels, else none.

    Raises:
        UserError: on a processor or device that cannot do so.

    """
    if not asked():
        return {}
    if device != "cpu":
        raise UserError(f"{SWITCH} is set, and the device is {device}; only cpu is reproducible")
    if platform.machine().lower() not in ("x86_64", "amd64") or not _has_avx2():
        raise UserError(
            f"{SWITCH} is set, and this processor ({platform.machine()}) has no AVX2; unset it, or "
            "use an x86-64 processor since 2013"
        )
    return {"reproducible": dict(KERNELS)}


def _has_avx2() -> bool:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return True  # not Linux: torch itself says what it cannot run
    return " avx2 " in f"{text} ".replace("\n", " ")
