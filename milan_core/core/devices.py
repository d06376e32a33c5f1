"""The device of a job: checked, claimed from other jobs, its arithmetic set and recorded."""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import re
import tempfile
import time
from pathlib import Path
from typing import IO, Any

from milan_core.core.errors import UserError

POLL_SECONDS = 2.0
MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # names of glibc's mallopt
KEPT = 2**30  # bytes; what is larger is given back to the system at once

_log = logging.getLogger(__name__)
_claimed: dict[str, IO[str]] = {}  # open for as long as the process lives, which holds the locks


def start_device(device: str, threads: int) -> dict[str, Any]:
    """Make a device torch's current one and set its arithmetic; returns facts for the record.

    "cuda" takes a GPU that no other job of this user and machine has, and waits for one; "cuda:N"
    takes that one, and shares it with a job that has it already. Convolutions and recurrent layers
    of cuDNN use TF32 for float32 on a GPU, products of matrices do not; nothing is left to torch's
    defaults. On the CPU there is nothing to tell.
    """
    import torch

    if threads < 1:
        raise UserError(f"--threads is {threads}; give at least 1")
    torch.set_num_threads(threads)
    keep_memory()
    named = re.fullmatch(r"cpu|cuda(?::(\d+))?", device)
    if named is None:
        raise UserError(f"--device is {device!r}; give cpu, cuda or cuda:N")
    if device == "cpu":
        return {}
    if not torch.cuda.is_available():
        raise UserError(
            f"device {device} was asked for, but torch finds no CUDA device; "
            "use device: cpu, or run on a machine with a GPU and its driver"
        )
    count = torch.cuda.device_count()
    if named[1] and int(named[1]) >= count:
        raise UserError(f"device {device} was asked for, but there are {count}: 0 to {count - 1}")
    index = _named_gpu(int(named[1])) if named[1] else _free_gpu(count)
    torch.cuda.set_device(index)
    return {"gpu": torch.cuda.get_device_name(index), "float32_products": _set_products()}


def keep_memory() -> None:
    """Let glibc keep memory that is freed for what is allocated next, up to `KEPT` at a time.

    Its own rule gives every tensor above 32 MB back to the system and takes it again, page by page:
    64 images through EfficientNet-Lite0 then take three times as long. The results are the same.
    Other C libraries keep their rule.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for name, value in ((MMAP_THRESHOLD, KEPT), (TRIM_THRESHOLD, 2 * KEPT - 1)):
        mallopt(name, value)


def _set_products() -> dict[str, str]:
    import torch

    # Both of cuDNN are equal: otherwise torch refuses `torch.backends.cudnn.flags` from then on.
    products = {"convolutions": "tf32", "recurrent": "tf32", "matrices": "ieee"}
    cudnn: Any = torch.backends.cudnn
    matrices: Any = torch.backends.cuda.matmul
    if hasattr(matrices, "fp32_precision"):  # torch 2.9 and later
        cudnn.conv.fp32_precision = products["convolutions"]
        cudnn.rnn.fp32_precision = products["recurrent"]
        matrices.fp32_precision = products["matrices"]
    else:
        cudnn.allow_tf32, matrices.allow_tf32 = True, False
    return products


def _free_gpu(count: int) -> int:
    """The first GPU that no other job has claimed; waits until there is one."""
    names = [_name(index) for index in range(count)]
    waiting = False
    while True:
        for index, name in enumerate(names):
            if _claim(name):
                return index
        if not waiting:
            _log.warning("all %d GPUs are taken by other jobs; waiting for one", count)
        waiting = True
        time.sleep(POLL_SECONDS)


def _named_gpu(index: int) -> int:
    """That GPU, claimed where it is free, so that jobs which take any leave it alone."""
    if not _claim(_name(index)):
        _log.warning("GPU %d is taken by another job, and shared with it", index)
    return index


def _name(index: int) -> str:
    import torch

    return str(torch.cuda.get_device_properties(index).uuid)


def _claim(name: str) -> bool:
    """Lock a GPU until this process ends; False when another process has it."""
    if name in _claimed:
        return True
    path = Path(tempfile.gettempdir()) / f"milan-gpu-{os.getuid()}-{name}.lock"
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    _claimed[name] = file
    return True
