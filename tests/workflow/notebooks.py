"""Run a notebook's cells in order, in a process of their own, and keep what each last line gives.

    python tests/workflow/notebooks.py NOTEBOOK OUT.json

A cell is plain Python, so no kernel is needed: what its last expression gives is shown as a
notebook would, by `_repr_html_` where there is one.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any


def run(path: Path) -> list[str]:
    """What the code cells show, one text a cell; the first exception ends it."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {"__name__": "__main__"}
    return [
        shown("".join(cell["source"]), f"{path.name}, cell {number}", names)
        for number, cell in enumerate(cells)
        if cell["cell_type"] == "code"
    ]


def shown(source: str, where: str, names: dict[str, Any]) -> str:
    """Run one cell; returns its last value as a notebook shows it."""
    tree = ast.parse(source, where)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, where, "exec"), names)
    if last is None:
        return ""
    value = eval(compile(ast.Expression(last.value), where, "eval"), names)
    return value._repr_html_() if hasattr(value, "_repr_html_") else repr(value)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(run(Path(sys.argv[1]).resolve())), encoding="utf-8")
