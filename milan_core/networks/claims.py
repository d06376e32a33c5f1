"""How much memory a weight file claims: one of a kilobyte may unpack to any number of bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from milan_core.core.archives import open_zip
from milan_core.core.errors import UserError

UNPACKED = 1 << 30  # bytes that any file may take in memory
MOST = 100  # times its size: what larger files may take


def check_claim(path: Path, claimed: int) -> None:
    """Refuse a file whose content takes far more bytes of memory than the file has.

    Raises:
        UserError: for more than a gigabyte and a hundred times the file.

    """
    if claimed > max(UNPACKED, MOST * (size := path.stat().st_size)):
        raise UserError(
            f"weights {path} have {size} bytes and take {claimed} in memory, more than weights do; "
            "fetch them from a trusted place"
        )


def check_archive(path: Path) -> None:
    """Refuse a zip archive whose entries unpack to far more than it has; see `check_claim`."""
    with open_zip(path) as archive:
        check_claim(path, sum(info.file_size for info in archive.infolist()))


def bytes_of(value: Any) -> int:
    """Bytes of all tensors in nested lists and mappings, each counted once.

    A file may hold one number for a whole tensor, and lists that hold one another, and themselves.
    """
    total, queue, seen = 0, [value], set[int]()
    while queue:
        item = queue.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, torch.Tensor):
            total += item.numel() * item.element_size()
        elif isinstance(item, Mapping | list | tuple):
            queue += item.values() if isinstance(item, Mapping) else item
    return total
