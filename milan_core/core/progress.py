"""Progress of long loops on standard error: how many, how fast, and how long it still takes.

This is the only file that draws. It draws nothing until somebody asks: the command line does for
people at a terminal (not with --quiet, and not in jobs, whose log is a file), `milan.mine` with
`progress=True`. A loop within a loop that is drawn stays silent, so there is one line at a time.
Of work that takes minutes `told` says start and end in lines, without a terminal too.

    with shown(sys.stderr.isatty()):
        for batch in tracked(batches, "mining", "image", total=len(images), size=len):
            ...
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any, Protocol, TypeVar

from milan_core.core.errors import printable

T = TypeVar("T")
DELAY = 0.5
"""Seconds before a loop is drawn: what ends sooner needs no bar."""
INTERVAL = 0.1
"""Seconds between two drawings."""


class Bar(Protocol):
    """What a loop tells of itself."""

    def update(self, n: float = 1) -> Any:
        """Tell of `n` more things that are done."""

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> Any:
        """Show a text behind the rate."""


class _Silent:
    """A bar that draws nothing."""

    def update(self, n: float = 1) -> None:
        pass

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
        pass


class _Drawing:
    """Whether to draw, and whether a bar is drawn now."""

    on = False
    lines = False
    busy = False


_drawing = _Drawing()


@contextlib.contextmanager
def shown(on: bool, *, lines: bool = False) -> Iterator[None]:
    """Draw the loops of the block, or not; what held before holds again afterwards.

    `lines`: print what is `told`.
    """
    before = _drawing.on, _drawing.lines
    _drawing.on, _drawing.lines = on, lines
    try:
        yield
    finally:
        _drawing.on, _drawing.lines = before


def told(line: str) -> None:
    """Print a line on the start or end of long work to standard error, if lines are asked for."""
    if _drawing.lines and not _drawing.busy:
        print(f"milan: {printable(line)}", file=sys.stderr, flush=True)


def is_shown() -> bool:
    """Whether loops are drawn now."""
    return _drawing.on


@contextlib.contextmanager
def bar(
    what: str, unit: str, total: float | None = None, *, done: float = 0, scaled: bool = False
) -> Iterator[Bar]:
    """A bar that the block updates.

    Args:
        what: the work in one or two words.
        unit: what is counted, singular.
        total: how many there are, if that is known.
        done: how many were done before.
        scaled: count in thousands and millions, as of bytes.

    """
    if not _drawing.on or _drawing.busy:
        yield _Silent()
        return
    from tqdm import tqdm

    window = shutil.get_terminal_size()
    _drawing.busy = True
    try:
        with tqdm(
            total=total,
            initial=done,
            desc=what,
            unit=unit if scaled else f" {unit}",
            unit_scale=scaled,
            delay=DELAY,
            mininterval=INTERVAL,
            leave=False,
            ncols=window.columns - 1,
            nrows=window.lines,
        ) as drawn:
            yield drawn
    finally:
        _drawing.busy = False


def tracked(
    items: Iterable[T],
    what: str,
    unit: str,
    *,
    total: float | None = None,
    size: Callable[[T], float] | None = None,
) -> Iterator[T]:
    """The items one by one, with a bar that counts those that were worked on.

    Args:
        items: the work.
        what: the work in one or two words.
        unit: what is counted, singular.
        total: how many there are; default: the length of `items`, where it has one.
        size: for how many an item counts; default: 1.

    """
    if total is None and size is None and isinstance(items, Sized):
        total = len(items)
    with bar(what, unit, total) as drawn:
        for item in items:
            yield item
            drawn.update(1 if size is None else size(item))
