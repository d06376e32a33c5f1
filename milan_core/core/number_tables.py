"""Tables of numbers without a header, as in the published layout of exemplars."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def read_number_table(path: Path, kind: type) -> np.ndarray:
    """The numbers of a CSV table without a header: (rows, columns) of the type `kind`.

    Raises:
        ValueError: for an empty table, texts, rows of other lengths, and a last line without its
            end: of a table that was cut within its last number, another number is left.

    """
    text = path.read_text(encoding="ascii")
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError("the file is empty")
    if not text.endswith(("\n", "\r")):
        raise ValueError(
            "its last line has no end, so it may have been cut within its last number; if it is "
            "whole, end the line"
        )
    return np.loadtxt(lines, delimiter=",", dtype=kind, ndmin=2, comments=None)
