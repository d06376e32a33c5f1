"""Names of repositories on the Hugging Face hub: with a commit they mean one thing for ever.

`OWNER/NAME@COMMIT` names what cannot change. A name without a commit, or with a branch, means what
the hub has on the day that it is read, and offline what the local cache has. What was read is
noted, with the commit that it came from: a record lists it (`hub`), and one sentence says how to
name that commit.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from milan_core.core.errors import UserError

_log = logging.getLogger(__name__)
_COMMIT = re.compile("[0-9a-f]{40}")
_read: dict[str, str] = {}  # name as it was given -> commit, of this process
_UNREAD = ("pooler", "mask_token", "num_batches_tracked")
"""Parts of names of weights that are never read, and that published checkpoints often lack."""


def lacking(facts: Mapping[str, Any], below: str = "") -> str:
    """What weights a checkpoint lacks, as a sentence's part; empty where it has all that count.

    `transformers` fills them with random numbers.

    Args:
        facts: what `from_pretrained` gives with `output_loading_info`.
        below: prefix of the names that count.

    """
    names = [*facts["missing_keys"], *(key for key, *_ in facts.get("mismatched_keys", ()))]
    missing = sorted(
        name
        for name in set(names)
        if name.startswith(below) and not any(part in name for part in _UNREAD)
    )
    return f"it lacks {len(missing)} weights, the first being {missing[0]}" if missing else ""


class Repository(NamedTuple):
    """A repository by name, and a revision of it; None: its main branch."""

    name: str
    revision: str | None

    @property
    def fixed(self) -> bool:
        """Whether it means the same for ever."""
        return self.revision is not None and is_commit(self.revision)


def is_commit(revision: str) -> bool:
    """Whether a revision is a commit, 40 hexadecimal digits."""
    return _COMMIT.fullmatch(revision) is not None


def repository(text: str, revision: str | None = None) -> Repository | None:
    """The repository that a text names, `NAME` or `NAME@REVISION`; None for a folder or file.

    Args:
        text: a name, or the path of a folder that `save_pretrained` wrote.
        revision: given beside the name, in `kwargs`.

    Raises:
        UserError: for two revisions that differ.

    """
    if Path(text).expanduser().exists() or Path(text).is_absolute():
        return None
    name, at, inside = text.partition("@")
    if at and revision not in (None, inside):
        raise UserError(
            f"{text}: got revision {inside!r} in the name and {revision!r} beside it; give one"
        )
    return Repository(name, inside if at else revision)


def note_read(wanted: Repository, cache: str | None = None) -> None:
    """Note the commit that a model has just been read at, and warn once where its name has none.

    Args:
        wanted: what was asked for.
        cache: folder of the local cache; None: the usual one.

    """
    given = wanted.name if wanted.revision is None else f"{wanted.name}@{wanted.revision}"
    if given in _read:
        return
    found = str(wanted.revision) if wanted.fixed else _cached_commit(wanted, cache)
    _read[given] = found or "unknown"
    if not wanted.fixed:
        at = f"commit {found}" if found else "a commit that is not known"
        _log.warning(
            "%s was read at %s, and its name has no commit: the hub may have another one tomorrow, "
            "and nothing is recomputed; name %s@%s",
            *(given, at, wanted.name, found or "COMMIT"),
        )


def _cached_commit(wanted: Repository, cache: str | None) -> str:
    """The commit of what lies in the local cache, where all that is read lies; else empty."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(
        wanted.name, "config.json", cache_dir=cache, revision=wanted.revision
    )
    folder = Path(found).parent.name if isinstance(found, str) else ""
    return folder if is_commit(folder) else ""


def commits_read() -> dict[str, str]:
    """Commits of what this process has read from the hub, by the name that was given."""
    return dict(sorted(_read.items()))
