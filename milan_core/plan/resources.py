"""Resources that rules ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def memory(gigabytes: int) -> Callable[[Any, int], str]:
    """The memory of a job: each retry (`attempt`, from 1) asks for as much again."""

    def asked(wildcards: Any, attempt: int) -> str:
        return f"{gigabytes * attempt}GB"

    return asked
