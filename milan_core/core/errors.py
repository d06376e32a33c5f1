"""Errors that a user can cause and mend.

`UserError` is printed by the command line as one line and ends the process with exit code 2; every
other exception is a bug of ours and shows a traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake in what the user gave us: says what, where, got, expected and the fix."""


def nearest(name: str, names: Iterable[str], count: int = 3, cutoff: float = 0.4) -> list[str]:
    """The known names that look most like `name`, best first; `cutoff`: least likeness, 0 to 1."""
    return difflib.get_close_matches(name, list(names), n=count, cutoff=cutoff)


def unknown(what: str, name: str, names: Iterable[str], where: str = "") -> UserError:
    """A `UserError` for a name that is not known, with the nearest known names."""
    names = sorted(names)
    close = nearest(name, names)
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else ""
    shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    place = f" in {where}" if where else ""
    return UserError(f"unknown {what} {name!r}{place}; {hint + ' ' if hint else ''}known: {shown}")


def first_line(error: BaseException) -> str:
    """What an exception of a library says, short enough for a message; else its type."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
