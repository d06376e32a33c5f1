"""Addresses of downloads: secrets in them are named, never written, and never shown.

`https://host/file?token=${MY_TOKEN}` stands for the value of an environment variable, which is put
in at the moment of the request. Logs, records and messages have the form with the name.
"""

from __future__ import annotations

import os
import re
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator

from milan_core.core.errors import UserError

_NAMED = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET = re.compile(
    r"(^|[-_.])(sig|signature|credential|credentials|token|auth|authorization|jwt|key|apikey"
    r"|pass|passwd|password|pwd|secret|session)($|[-_.])",
    re.IGNORECASE,
)
_IN_TEXT = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)(?P<user>[^/\s'\"@]*@)?(?P<rest>[^\s'\"]*)"
)


def without_secrets(url: str) -> str:
    """The address as it may be written; refuses passwords and tokens in plain.

    Raises:
        ValueError: which pydantic turns into a sentence with the key; the secret is not shown.

    """
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "the address holds a user name or password: put them into ~/.netrc instead"
        )
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if _SECRET.search(name) and value and not _NAMED.fullmatch(value):
            raise ValueError(
                f"the address holds a secret ({name}): write {name}=${{NAME}} and export the "
                "environment variable NAME where the workflow runs"
            )
    return url


Address = Annotated[str, AfterValidator(without_secrets)]


def expanded(url: str) -> str:
    """The address with the values of the variables that it names."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise UserError(f"{url}: the environment variable {match[1]} is not set; export it")
        return os.environ[match[1]]

    return _NAMED.sub(value, url)


def hidden(text: str, url: str = "") -> str:
    """A message without secrets: values that `url` names, users, passwords, queries of addresses.

    Libraries put the address that failed into their messages, redirected ones with their signature.
    """
    for name in _NAMED.findall(url):
        if value := os.environ.get(name):
            text = text.replace(value, f"${{{name}}}")
    text = _IN_TEXT.sub(_shown, text)
    return re.sub(r"(with url: /[^\s?]*)\?\S*", r"\1?...", text)


def _shown(match: re.Match[str]) -> str:
    rest = match["rest"]
    if "?" in rest and not _NAMED.search(rest):
        rest = rest.partition("?")[0] + "?..."
    return match["scheme"] + rest
