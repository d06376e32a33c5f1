"""Optional packages: what a missing one is needed for, and which extra brings it."""

from __future__ import annotations

import importlib
from types import ModuleType

from milan_core.core.errors import UserError

DISTRIBUTION = "milan-workflow"


def optional(module: str, extra: str, use: str) -> ModuleType:
    """Import a module of an optional package.

    Args:
        module: the module, such as `spacy` or `skimage.data`.
        extra: the extra of this distribution that brings its package.
        use: what it is needed for: "to split descriptions into words".

    Raises:
        UserError: the package is not installed; says how to install it.

    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise absent(package, extra, use) from None


def absent(package: str, extra: str, use: str) -> UserError:
    """The error of a package that is not installed."""
    return UserError(
        f"the package {package} is needed {use} and not installed; run "
        f"`pip install '{DISTRIBUTION}[{extra}]'`"
    )
