"""Find the native extension, or warn once why the NumPy reference is used instead."""

from __future__ import annotations

import functools
import os
import warnings
from types import ModuleType


@functools.cache
def native() -> ModuleType | None:
    """The extension module `milan_core._core`, or None when it is missing or switched off.

    `MILAN_OPS=reference` switches it off; results are the same, only slower.
    """
    if os.environ.get("MILAN_OPS") == "reference":
        return None
    try:
        from milan_core import _core
    except ImportError as error:
        warnings.warn(
            f"the native core is not available ({error}); the NumPy reference is used, with equal "
            "results and 50 to 500 times slower. `pip install .` in the repository builds it.",
            RuntimeWarning,
            stacklevel=3,
        )
        return None
    return _core
