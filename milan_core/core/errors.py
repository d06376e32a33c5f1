"""Errors that a user can cause and mend.

`UserError` is printed by the command line as one line and ends the process with exit code 2; every
other exception is a bug of ours and shows a traceback.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import lzma
import struct
import tokenize
import traceback
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

Given = ParamSpec("Given")
Content = TypeVar("Content")


class UserError(ValueError):
    """A user's mistake; the message says what, where, got, expected and the fix.

    The message is one line, whatever names or texts it contains. A message about many things may
    also have a shorter form for people: `head`, and a line for each of `items`.
    """

    def __init__(self, message: str = "", head: str = "", items: Sequence[str] = ()) -> None:
        super().__init__(_one_line(message))
        self.head, self.items = _one_line(head), [_one_line(item) for item in items]

    @property
    def lines(self) -> list[str]:
        """Lines to print: the head and the items if there are items, else the message."""
        return [self.head, *self.items] if self.items else [str(self)]


def _one_line(text: str) -> str:
    return printable(" ".join(line.strip() for line in str(text).splitlines()))


_CONTROL = (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F))
_SHOWN = {code: f"\\u{code:04x}" for code in (*_CONTROL, *range(0x2066, 0x206A))}


def printable(text: str) -> str:
    """Escape the control characters of a text, as JSON does.

    A name or description of somebody else's could otherwise clear the screen, retitle the window,
    fill the clipboard, or turn the writing around. Ends of lines and tabs stay.
    """
    return text.translate(_SHOWN)


def nearest(name: str, names: Iterable[str], count: int = 3, cutoff: float = 0.4) -> list[str]:
    """The known names that look most like `name`, best first; `cutoff`: least likeness, 0 to 1."""
    return difflib.get_close_matches(name, list(names), n=count, cutoff=cutoff)


FEW = 10
"""Names that a message lists beside the nearest ones."""


def unknown(
    what: str, name: str, names: Iterable[str], where: str = "", listed: str = ""
) -> UserError:
    """A `UserError` for a name that is not known, with the nearest of many known names, or all.

    Args:
        what: kind of thing.
        name: as it was given.
        names: that are known.
        where: they are known.
        listed: the command that lists them, if there is one.

    """
    names = sorted(names)
    close = [repr(one) for one in nearest(name, names, 3 if len(names) <= FEW else 5)]
    parts = []
    if close:
        first = ", ".join(close[:-1])
        parts.append(f"did you mean {first}{' or ' if first else ''}{close[-1]}?")
    if len(names) <= FEW or not close:
        more = f" and {len(names) - 20} more" if len(names) > 20 else ""
        parts.append(f"known: {', '.join(names[:20])}{more}")
    if listed and len(names) > FEW:
        parts.append(f"(`{listed}` lists all {len(names)})")
    place = f" in {where}" if where else ""
    return UserError(f"unknown {what} {name!r}{place}; {' '.join(parts)}")


def first_line(error: BaseException) -> str:
    """The text of a library's exception, short enough for a message; else its type."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


DAMAGE = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, OSError),
    *(RuntimeError, MemoryError, EOFError, SyntaxError),
    *(tokenize.TokenError, struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile),
)
"""Errors that damaged content causes in a library or in our code."""
_LIBRARIES = (
    *("safetensors", "safetensors_rust", "tokenizers", "pickle", "_pickle"),
    "huggingface_hub",
)
"""Libraries whose errors of content are of no type above; `tokenizers` raises bare `Exception`."""


def is_damage(error: Exception) -> bool:
    """Whether an exception is of the kinds that damaged content causes."""
    kind = type(error)
    library = kind.__module__.partition(".")[0]
    return isinstance(error, DAMAGE) or kind is Exception or library in _LIBRARIES


@contextlib.contextmanager
def reading(path: Path | str, what: str, fix: str = "make it again") -> Iterator[None]:
    """Turn whatever a damaged or foreign file makes the block run into into one sentence.

    Errors that are a `UserError` already pass as they are.

    Args:
        path: the file or folder that the block reads.
        what: what it should be, with its article: "a table of scores".
        fix: what to do about it.

    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not is_damage(error):
            raise
        raise UserError(f"{path} is damaged or not {what} ({reason_of(error)}); {fix}") from error


def reads(
    what: str, fix: str = "make it again"
) -> Callable[
    [Callable[Concatenate[Path, Given], Content]],
    Callable[Concatenate[Path | str, Given], Content],
]:
    """Decorate the reader of one file, its first argument: its body runs in `reading`."""

    def decorate(
        read: Callable[Concatenate[Path, Given], Content],
    ) -> Callable[Concatenate[Path | str, Given], Content]:
        @functools.wraps(read)
        def guarded(path: Path | str, *args: Given.args, **kwargs: Given.kwargs) -> Content:
            with reading(path, what, fix):
                return read(Path(path), *args, **kwargs)

        return guarded

    return decorate


def place_of(error: BaseException) -> str:
    """File and line of this package where an exception arose, or of what was called last."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "milan_core" in frame.filename] or list(frames)
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "its end"


def reason_of(error: BaseException) -> str:
    """An exception for people: what it says, or its type where that is not enough."""
    if isinstance(error, KeyError):
        return f"it has no {error}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, RecursionError):
        return "values are nested too deeply"
    if isinstance(error, MemoryError):
        return "it asks for more memory than there is"
    return first_line(error)
