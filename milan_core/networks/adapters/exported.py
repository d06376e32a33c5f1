"""Networks saved with `torch.export.save`, with their module hierarchy brought back."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from milan_core.core.errors import UserError, first_line


def require_trust(path: str, kind: str, trust: bool) -> Path:
    """The file, when it is there and the user vouches for it: it holds a program, not weights."""
    if not Path(path).is_file():
        msg = f"{kind} file not found: {path} (looked in {Path.cwd()})"
        raise UserError(msg)
    if not trust:
        msg = (
            f"{path} holds a program that is run when the network is; set `trust: true` in its "
            "entry if you know where the file comes from, or give a factory and weights instead"
        )
        raise UserError(msg)
    return Path(path)


def load(path: str, trust: bool = False) -> nn.Module:
    """`export:FILE`: the module of an exported program, its submodules hookable by their names.

    The program must accept the batch size of the run: export it with a dynamic first dimension.
    """
    import torch

    file = require_trust(path, "export", trust)
    try:
        program = torch.export.load(file)
        return torch.export.unflatten(program)
    except Exception as error:
        msg = f"{file} is not a readable torch.export file: {first_line(error)}; save it again"
        raise UserError(msg) from error
