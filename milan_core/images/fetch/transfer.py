"""One attempt to bring one file from one address: HTTP(S), `file://` or `hf://`."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from milan_core.core.errors import first_line
from milan_core.images.fetch.attempt import (
    CHUNK,
    LATER,
    InterruptedTransfer,
    Patience,
    RefusedTransfer,
    announce,
    progress_bar,
)
from milan_core.images.fetch.partial import Part, Version
from milan_core.images.fetch.web import from_web


def transfer(url: str, part: Part, *, pinned: bool, patience: Patience) -> None:
    """Download the missing bytes of the file at `url` into `part`.

    `pinned`: the digest of the file is known, so a wrong continuation is noticed.

    Raises:
        InterruptedTransfer: when another attempt may succeed.
        RefusedTransfer: when none can.

    """
    schemes: dict[str, Callable[..., None]] = {
        "http": from_web, "https": from_web, "file": _copy, "hf": _hub,
    }  # fmt: skip
    scheme = urlsplit(url).scheme.lower()
    if scheme not in schemes:
        msg = f"cannot fetch from {scheme or 'no'}://; http, https, file and hf are known"
        raise RefusedTransfer(msg)
    version = part.version()
    same = version is not None and version.url == url and (version.validator or pinned)
    if same and part.is_complete():
        return  # complete since the last run
    schemes[scheme](url, part, pinned, patience)


def _copy(url: str, part: Part, _pinned: bool, _patience: Patience) -> None:
    """`file:///folder/name`: a mounted disk or a local mirror."""
    parts = urlsplit(url)
    source = Path(unquote(parts.path))
    if parts.netloc not in ("", "localhost") or not source.is_file():
        msg = f"no file {source}" if not parts.netloc else f"{url} names another machine"
        raise RefusedTransfer(msg)
    size = source.stat().st_size
    announce(url, size)
    part.begin(Version(url, size=size))
    with (
        source.open("rb") as handle,
        part.path.open("r+b") as sink,
        progress_bar(part, 0, size) as bar,
    ):
        while block := handle.read(CHUNK):
            sink.write(block)
            bar.update(len(block))
    if part.size != size:
        msg = f"{source} changed while it was copied"
        raise InterruptedTransfer(msg)


def _hub(url: str, part: Part, _pinned: bool, _patience: Patience) -> None:
    """`hf://owner/name[@revision]/path`, with huggingface_hub, which resumes by itself."""
    from huggingface_hub import errors, hf_hub_download

    match = re.fullmatch(r"hf://([^/@]+/[^/@]+)(?:@([^/]+))?/(.+)", url)
    if not match:
        msg = "expected hf://owner/name[@revision]/path/of/file"
        raise RefusedTransfer(msg)
    folder = part.path.with_suffix(".hf")
    try:
        file = hf_hub_download(
            match[1], match[3], revision=match[2], local_dir=folder,
            endpoint=os.environ.get("HF_ENDPOINT") or None,
        )  # fmt: skip
    except errors.LocalEntryNotFoundError as error:
        raise InterruptedTransfer(first_line(error)) from None
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", 0)
        kind = InterruptedTransfer if status in LATER else RefusedTransfer
        raise kind(first_line(error)) from None
    except (errors.HFValidationError, errors.EntryNotFoundError) as error:
        raise RefusedTransfer(first_line(error)) from None
    except (OSError, EOFError) as error:
        raise InterruptedTransfer(first_line(error)) from None
    part.begin(Version(url, size=Path(file).stat().st_size))
    Path(file).replace(part.path)
    shutil.rmtree(folder, ignore_errors=True)
