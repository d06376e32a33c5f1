"""Files of one data set that are numbered, some of which may not be there."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

_OF = re.compile(r"(.*?)([0-9]{1,9})-of-([0-9]{1,9})(.*)", re.DOTALL)
_NUMBER = re.compile(r"(.*?)([0-9]{3,9})([^0-9]*)", re.DOTALL)
MOST = 1_000_000  # files that a name may say there are


def absent(names: Iterable[str]) -> int:
    """How many files are missing among those of some names.

    Of `a-00003-of-00010.tar` as many as it says; of `a-000003.tar` those between the first and the
    last number, where more are there than not.
    """
    told: dict[tuple[str, str, int], set[int]] = defaultdict(set)
    counted: dict[tuple[str, str, int], set[int]] = defaultdict(set)
    for name in names:
        if match := _OF.fullmatch(name):
            told[match[1], match[4], int(match[3])].add(int(match[2]))
        elif match := _NUMBER.fullmatch(name):
            counted[match[1], match[3], len(match[2])].add(int(match[2]))
    missing = sum(max(of - len(there), 0) for (_, _, of), there in told.items() if of <= MOST)
    for there in counted.values():
        gap = max(there) - min(there) + 1 - len(there)
        missing += gap if gap < len(there) else 0
    return missing
