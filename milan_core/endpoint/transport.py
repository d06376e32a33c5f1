"""One HTTP request to a server: a deadline, a size limit, and errors of three kinds."""

from __future__ import annotations

import email.utils
import os
import time
from collections.abc import Callable
from typing import Any, Protocol

from milan_core.core.addresses import expanded, hidden
from milan_core.core.errors import UserError, first_line
from milan_core.endpoint.cassette import Exchange
from milan_core.endpoint.options import EndpointOptions
from milan_core.images.fetch.attempt import LATER, InterruptedTransfer, Patience
from milan_core.images.fetch.stream import Stream, streamed

LARGEST = 8 << 20  # bytes of a reply
LONGEST_WAIT = 600.0  # seconds that a server may ask for
CLOSED = {401, 402, 403, 404, 405, 407}  # of all questions, not of one


class LaterError(Exception):
    """No reply this time; another attempt may have one.

    Attributes:
        wait: seconds that the server asks for; None where it does not.
        reply: what it answered; None where the connection failed.

    """

    def __init__(
        self, reason: str, wait: float | None = None, reply: Exchange | None = None
    ) -> None:
        super().__init__(reason)
        self.wait, self.reply = wait, reply


class Transport(Protocol):
    """Sends the body of a request."""

    def post(self, body: bytes) -> Exchange:
        """The reply.

        Raises:
            LaterError: the connection failed, or the server is busy.
            UserError: the server refuses every question (address, key, model).

        """


class Web:
    """Requests to the chat completions of a server.

    Args:
        options: address, key's variable, timeout.

    """

    def __init__(self, options: EndpointOptions) -> None:
        self._options = options
        self._url = f"{options.url}/chat/completions"
        self._patience = Patience(
            connect=min(20.0, options.timeout), read=options.timeout, attempts=1, least=0.0
        )

    def post(self, body: bytes) -> Exchange:
        """Send one request; redirects are not followed, since they would take the key along."""
        import requests
        from urllib3.exceptions import HTTPError

        try:
            with streamed(lambda: self._send(body), self._patience) as stream:
                answer = stream.answer()
                reply = Exchange(answer.status_code, self._body(stream))
        except InterruptedTransfer as error:
            raise LaterError(str(error)) from None
        except (requests.RequestException, HTTPError) as error:
            cause = getattr(error.args[0], "reason", error) if error.args else error
            raise LaterError(self._shown(first_line(cause))) from None
        return self._sorted(reply, answer.headers)

    def _send(self, body: bytes) -> Any:
        import requests

        return requests.post(
            expanded(self._url),
            data=body,
            headers={
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": "milan-workflow",
            },
            auth=_bearer(self._key()),
            stream=True,
            timeout=(self._patience.connect, self._options.timeout),
            allow_redirects=False,
        )

    def _key(self) -> str:
        """The key, from the environment at the moment of the request."""
        name = self._options.key_variable
        if not name:
            return ""
        if not os.environ.get(name):
            raise UserError(f"endpoint: the environment variable {name} is not set; export the key")
        return os.environ[name]

    def _body(self, stream: Stream) -> str:
        end, parts, size = time.monotonic() + self._options.timeout, [], 0
        for block in stream.blocks():
            size += len(block)
            if size > LARGEST:
                raise LaterError(f"a reply of more than {LARGEST >> 20} MB")
            if time.monotonic() > end:
                raise LaterError(f"no complete reply within {self._options.timeout:g} seconds")
            parts.append(block)
        return self._without_key(b"".join(parts).decode("utf-8", "replace"))

    def _sorted(self, reply: Exchange, headers: Any) -> Exchange:
        """The reply, unless its status is about the moment or about the server as a whole."""
        status = self._shown(reply.reason)
        if reply.status in LATER or reply.status in (409, 529) or reply.status >= 500:
            raise LaterError(status, _wait(headers.get("Retry-After", "")), reply)
        if reply.status in CLOSED or 300 <= reply.status < 400:
            raise UserError(
                f"endpoint {hidden(self._options.url)}: {status}; check the address, the key and "
                f"the model {self._options.model!r}"
            )
        return reply

    def _shown(self, text: str) -> str:
        """A text of others for a message, without the key and addresses' secrets."""
        return hidden(self._without_key(text), self._options.url)

    def _without_key(self, text: str) -> str:
        key = os.environ.get(self._options.key_variable or "", "")
        return text.replace(key, "***") if key else text


def _bearer(key: str) -> Callable[[Any], Any]:
    """Set the key; also keeps requests from sending a password of ~/.netrc."""

    def authorize(request: Any) -> Any:
        if key:
            request.headers["Authorization"] = f"Bearer {key}"
        return request

    return authorize


def _wait(told: str) -> float | None:
    """Seconds of a header Retry-After, a number or a date; at most LONGEST_WAIT."""
    try:
        seconds = float(told)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(told).timestamp() - time.time()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0.0), LONGEST_WAIT) if seconds == seconds else None
