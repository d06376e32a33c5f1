"""Files of one data set that are numbered, some of which may not be there."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

_OF = re.compile(r"(.*?)([0-9]{1,9})-of-([0-9]{1,9})(.*)", re.DOTALL)
_NUMBER = re.compile(r"(.*?)([0-9]{3,9})([^0-9]*)", re.DOTALL)
MOST = 1_000_000  # files that a name may say there are


class _Set(NamedTuple):
    """Common part of the names of a set: texts around the number, its digits or the count."""

    before: str
    behind: str
    digits: int
    of: int | None


def absent(names: Iterable[str], beside: Iterable[str] = ()) -> int:
    """How many files are missing among those of some names.

    Of `a-00003-of-00010.tar` as many as it says; of `a-000003.tar` those between the first and the
    last number, where more are there than not.

    Args:
        names: of the files that are read.
        beside: of others that are there and were not chosen.

    """
    chosen, others = _sets(names), _sets(beside)
    missing = 0
    for key, numbers in chosen.items():
        there = numbers | others.get(key, set())
        if key.of is not None:
            missing += max(key.of - len(there), 0) if key.of <= MOST else 0
        else:
            first, last = min(numbers), max(numbers)
            gap = last - first + 1 - sum(first <= number <= last for number in there)
            missing += gap if gap < len(numbers) else 0
    return missing


def _sets(names: Iterable[str]) -> dict[_Set, set[int]]:
    found: dict[_Set, set[int]] = defaultdict(set)
    for name in names:
        if match := _OF.fullmatch(name):
            found[_Set(match[1], match[4], 0, int(match[3]))].add(int(match[2]))
        elif match := _NUMBER.fullmatch(name):
            found[_Set(match[1], match[3], len(match[2]), None)].add(int(match[2]))
    return found
