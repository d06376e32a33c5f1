"""One HTTP(S) download attempt, resuming at the byte where the last one ended.

Proxies, certificates and credentials are those that requests takes from the environment
(`HTTPS_PROXY`, `NO_PROXY`, `REQUESTS_CA_BUNDLE`, `.netrc`).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from milan_core.core.addresses import expanded, hidden
from milan_core.core.errors import UserError, first_line
from milan_core.core.numbers import is_whole
from milan_core.images.fetch.attempt import (
    LATER,
    InterruptedTransfer,
    Patience,
    RefusedTransfer,
    announce,
    progress_bar,
)
from milan_core.images.fetch.partial import Part, Version
from milan_core.images.fetch.stream import Stream, streamed

REDIRECTS = 20
UNSIZED = 16 << 30  # most bytes of a body whose size is not told
OFTEN = 64 << 20  # bytes of such a body between two looks at the disk


def from_web(url: str, part: Part, pinned: bool, patience: Patience) -> None:
    """Download the missing bytes of the file at `url` into `part`."""
    offset, noted = _resumable(url, part, pinned)
    headers = {"Accept-Encoding": "identity", "User-Agent": "milan-workflow"}
    if offset and noted:
        headers["Range"] = f"bytes={offset}-"
        if noted.validator:
            headers["If-Range"] = noted.validator
    with _answer(url, headers, patience) as (answer, stream):
        _check_status(answer, part)
        version = Version(url, validator(answer.headers), _whole_size(answer))
        if answer.status_code == 206:
            _check_continues(answer, offset, noted, version, part)
        else:
            announce(url, version.size)
            offset = 0
            part.begin(version)
        size = noted.size if version.size is None and offset and noted else version.size
        _receive(stream, part, offset, size)
    _check_end(answer, part, size, pinned)


def _check_end(answer: Any, part: Part, size: int | None, pinned: bool) -> None:
    """Refuse a truncated body; a truncated chunked one has already failed."""
    chunked = "chunked" in answer.headers.get("Transfer-Encoding", "").lower()
    if size is None and not chunked and not pinned:
        part.drop()
        msg = "the server tells no size and no SHA-256 is known: a cut file would go unnoticed"
        raise RefusedTransfer(msg)
    if size is not None and part.size != size:
        msg = f"the connection ended after {part.size} of {size} bytes"
        raise InterruptedTransfer(msg)


def _resumable(url: str, part: Part, pinned: bool) -> tuple[int, Version | None]:
    """First byte to ask for; 0 where old and new bytes could be of different versions."""
    noted = part.version()
    if noted is None or noted.url != url or not (noted.validator or pinned):
        return 0, None
    if noted.size is not None and part.size >= noted.size:
        return 0, None
    return part.size, noted


@contextmanager
def _answer(
    url: str, headers: Mapping[str, str], patience: Patience
) -> Iterator[tuple[Any, Stream]]:
    """The server's answer before its body; failures become the two exceptions of `attempt`."""
    import requests
    from urllib3.exceptions import HTTPError

    address = expanded(url)
    try:
        with streamed(lambda: _request(address, headers, patience), patience) as stream:
            yield stream.answer(), stream
    except requests.exceptions.SSLError as error:
        raise RefusedTransfer(hidden(first_line(error), url)) from None
    except (requests.ConnectionError, requests.Timeout, HTTPError) as error:
        raise InterruptedTransfer(hidden(first_line(error), url)) from None
    except requests.RequestException as error:  # the address itself, or where it leads
        raise RefusedTransfer(hidden(first_line(error), url)) from None
    except OSError as error:
        msg = f"cannot write {error.filename or 'the download'}: {error.strerror}; make room for it"
        raise UserError(msg) from None


def _request(url: str, headers: Mapping[str, str], patience: Patience) -> Any:
    """Ask for `url` and follow redirects, but never from https to another scheme."""
    import requests

    session = requests.Session()
    for _ in range(REDIRECTS):
        answer = session.get(
            url,
            headers=dict(headers),
            stream=True,
            timeout=(patience.connect, patience.read),
            allow_redirects=False,
        )
        place = session.get_redirect_target(answer)
        if not place:
            return answer
        answer.close()
        target = requests.utils.requote_uri(urljoin(url, place))
        _check_redirect(url, target)
        url = target
    raise RefusedTransfer(f"more than {REDIRECTS} redirects")


def _check_redirect(url: str, target: str) -> None:
    before, after = urlsplit(url).scheme.lower(), urlsplit(target).scheme.lower()
    if after not in ("http", "https"):
        raise RefusedTransfer(f"the server redirects to {after}://, which is refused")
    if (before, after) == ("https", "http"):
        raise RefusedTransfer(
            f"the server redirects from https to http ({hidden(target)}), where anybody on the way "
            "may change the file; refused"
        )


def _check_status(answer: Any, part: Part) -> None:
    status = answer.status_code
    if status in (200, 206):
        if status == 206 and "Range" not in answer.request.headers:
            msg = "the server sent a part of the file that was not asked for"
            raise RefusedTransfer(msg)
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            msg = f"the server sent the file compressed ({answer.headers['Content-Encoding']})"
            raise RefusedTransfer(msg)
        return
    reason = f"the server answered {status} {answer.reason or ''}".strip()
    if status == 416:  # no such range: another version
        part.drop()
        raise InterruptedTransfer(reason)
    if status in LATER:
        wait = answer.headers.get("Retry-After", "")
        raise InterruptedTransfer(reason, float(wait) if is_whole(wait) else None)
    raise RefusedTransfer(reason)


def validator(headers: Mapping[str, str]) -> str | None:
    """The header that identifies a version: a strong ETag, else a settled Last-Modified date.

    A date less than a second old is not settled: the file could change again under the same date.
    """
    tag, modified = headers.get("ETag", ""), headers.get("Last-Modified")
    if tag.startswith('"'):
        return tag
    try:
        age = parsedate_to_datetime(headers["Date"]) - parsedate_to_datetime(modified or "")
    except (KeyError, ValueError, TypeError):
        return None
    return modified if age.total_seconds() >= 1 else None


def _content_range(answer: Any) -> tuple[int, int | None] | None:
    """(first byte, whole size) of a partial answer."""
    form = r"bytes (\d+)-\d+/(\d+|\*)"
    match = re.fullmatch(form, answer.headers.get("Content-Range", "").strip())
    if not match:
        return None
    return int(match[1]), None if match[2] == "*" else int(match[2])


def _whole_size(answer: Any) -> int | None:
    if answer.status_code == 206:
        given = _content_range(answer)
        return given[1] if given else None
    length = answer.headers.get("Content-Length", "")
    return int(length) if is_whole(length) else None


def _check_continues(
    answer: Any, offset: int, noted: Version | None, now: Version, part: Part
) -> None:
    """Refuse a rest that does not start at `offset` or is of another version.

    Some servers honor Range and ignore If-Range, so the validator is compared here as well.
    """
    given = _content_range(answer)
    same = (
        given is not None
        and noted is not None
        and given[0] == offset
        and (now.size is None or noted.size is None or now.size == noted.size)
        and (now.validator is None or noted.validator is None or now.validator == noted.validator)
    )
    if not same:
        part.drop()
        msg = "the file changed on the server; starting again"
        raise InterruptedTransfer(msg)


def _receive(stream: Stream, part: Part, offset: int, size: int | None) -> None:
    """Append the body as it arrives, so that a kill at any moment loses no byte."""
    with part.path.open("r+b") as sink, progress_bar(part, offset, size) as bar:
        sink.seek(offset)
        checked = offset
        for block in stream.blocks():
            sink.write(block)
            sink.flush()
            bar.update(len(block))
            if size is None and sink.tell() - checked >= OFTEN:  # no room was asked for
                checked = sink.tell()
                part.check_room(0)
            if size is None and sink.tell() > UNSIZED:
                part.drop()
                msg = f"the server tells no size, and more than {UNSIZED} bytes came"
                raise RefusedTransfer(msg)


def answers(url: str, patience: Patience | None = None) -> bool:
    """Whether the server gives the file at `url`; fetches its head, or one byte.

    Redirects are followed. A broken connection and a busy server are tried again.
    """
    patience = patience or Patience(attempts=3)
    for method, more in (("HEAD", {}), ("GET", {"Range": "bytes=0-0"})):
        status = _status(method, url, more, patience)
        if status not in (405, 501):  # servers that know no HEAD
            return status in (200, 206)
    return False


def _status(method: str, url: str, more: Mapping[str, str], patience: Patience) -> int:
    """Status of the last answer; 0 without any."""
    import requests

    headers = {"Accept-Encoding": "identity", "User-Agent": "milan-workflow", **more}
    status, wait = 0, (patience.connect, patience.read)
    for attempt in range(patience.attempts):
        if attempt:
            time.sleep(patience.pause * 2 ** (attempt - 1))
        try:
            with requests.request(
                *(method, expanded(url)),
                headers=headers,
                timeout=wait,
                stream=True,
                allow_redirects=True,
            ) as answer:
                status = answer.status_code
        except requests.RequestException:
            continue
        if status not in LATER:
            break
    return status
