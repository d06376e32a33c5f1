"""Names of hook points: which tensor of which module, in which call.

`layer1` is the output of a module; `layer1@input` its first input; `conv1@relu` its output after a
ReLU; `relu@call2` its second run of a forward pass. Marks can be joined: `relu@call2@input`.
The pre-activation of a block is the input of its activation module, `act@input`.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass

from milan_core.core.errors import UserError

MARKS = "@input, @output, @relu, @call1, @call2, ..."


@dataclass(frozen=True)
class HookPoint:
    """A module's tensor: `call` counts from 1, None means that there must be one call only."""

    module: str
    side: str = "output"  # or "input"
    relu: bool = False
    call: int | None = None

    @classmethod
    def parse(cls, text: str) -> HookPoint:
        """Read `module@mark@mark`."""
        module, *marks = text.split("@")
        side, relu, call = "output", False, None
        for mark in marks:
            if mark in ("input", "output"):
                side = mark
            elif mark == "relu":
                relu = True
            elif found := re.fullmatch(r"call([1-9]\d*)", mark):
                call = int(found[1])
            else:
                msg = f"layer {text!r}: unknown mark @{mark}; known: {MARKS}"
                raise UserError(msg)
        return cls(module, side, relu, call)

    @property
    def marks(self) -> str:
        """The part after the module's name, in one order for one meaning."""
        call = f"@call{self.call}" if self.call else ""
        return call + ("@input" if self.side == "input" else "") + ("@relu" if self.relu else "")


def name_matches(name: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the parts of a module's name fit a pattern; `**` stands for any number of parts."""
    if not pattern:
        return not name
    if pattern[0] == "**":
        return any(name_matches(name[skip:], pattern[1:]) for skip in range(len(name) + 1))
    fits = bool(name) and fnmatch.fnmatchcase(name[0], pattern[0])
    return fits and name_matches(name[1:], pattern[1:])


def layer_matches(layer: str, pattern: str) -> bool:
    """Whether the name of a layer, with its marks, is meant by a name or pattern."""
    point, wanted = HookPoint.parse(layer), HookPoint.parse(pattern)
    named = name_matches(point.module.split("."), wanted.module.split("."))
    return layer == pattern or (named and wanted.marks in ("", point.marks))
