"""Names of hook points: which tensor of which module, in which call.

`layer1` is the output of a module; `layer1@input` its first input; `conv1@relu` its output after a
ReLU; `relu@call2` its second run of a forward pass. Marks can be joined: `relu@call2@input`.
The pre-activation of a block is the input of its activation module, `act@input`.
"""

from __future__ import annotations

import re
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
