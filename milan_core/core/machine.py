"""A short name of this machine, for the names of temporaries and the owners of locks."""

from __future__ import annotations

import hashlib
import os
import re
import socket

FIRST = "pid:[4026531836]"  # the namespace of processes that is no container's, on every Linux
_LONGEST = 32


def this_machine() -> str:
    """The name that the processes of one machine and one process namespace share."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - no path
    except OSError:
        namespace = FIRST
    return machine_name(socket.gethostname(), namespace)


def machine_name(host: str, namespace: str = FIRST) -> str:
    """Letters, digits and dashes, 32 at most.

    Long names of hosts, which often differ in their ends, and containers that have the name of
    their host end in a digest.
    """
    name = re.sub(r"[^A-Za-z0-9-]", "-", host) or "host"
    if len(name) <= _LONGEST and namespace == FIRST:
        return name
    digest = hashlib.sha256(f"{host} {namespace}".encode()).hexdigest()[:8]
    return f"{name[: _LONGEST - 9]}-{digest}"
