"""Reading `transformers` checkpoints: safely, quietly, offline by default, with clear failures."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milan_core.core.errors import UserError
from milan_core.core.hub import lacking, note_read, repository


@dataclass(frozen=True)
class Checkpoint:
    """A folder of `save_pretrained`, or a repository of the hub by name (`OWNER/NAME@COMMIT`).

    Code that comes with a checkpoint is never run. Of several weight files the library takes
    safetensors; a `.bin` is read by torch's loader of plain tensors.
    """

    what: str
    """The kind of model, for messages: "image-to-text"."""
    source: str
    files: str
    """The files it needs, for messages."""
    download: bool = False
    """May the hub be asked? Otherwise only folders and the local cache are."""

    def check(self) -> None:
        """Refuse a folder that cannot be a checkpoint before anything heavy is imported."""
        folder = self._folder
        if folder.is_dir() and not (folder / "config.json").is_file():
            raise self.refusal("the folder has no config.json")
        if folder.is_file():
            raise self.refusal("it is a file, not a folder")

    def part(self, loader: Any, **options: Any) -> Any:
        """`loader.from_pretrained` of this checkpoint."""
        wanted = repository(self.source)
        if wanted is not None and wanted.revision is not None:
            options["revision"] = wanted.revision
        with _quiet():
            try:
                loaded = loader.from_pretrained(
                    str(self._folder) if wanted is None else wanted.name,
                    trust_remote_code=False,
                    local_files_only=not self.download,
                    **options,
                )
            # What the library raises for missing, unreadable and foreign files alike.
            except (OSError, ValueError, KeyError, ImportError) as error:
                reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
                raise self.refusal(reason.rstrip(".")) from error
        if wanted is not None:
            note_read(wanted, options.get("cache_dir"))
        return loaded

    def model(self, loader: Any, device: str, **options: Any) -> Any:
        """The model in float32 and evaluation mode on `device`; missing weights are refused.

        The library itself would fill missing weights with random numbers.
        """
        model, facts = self.part(loader, output_loading_info=True, **options)
        if reason := lacking(facts):
            raise self.refusal(reason)
        # Weights read from GGUF are unpacked to float32 already, and refuse to be cast.
        if not getattr(model, "is_quantized", False):
            model = model.float()
        return model.eval().requires_grad_(False).to(device)

    def refusal(self, reason: str) -> UserError:
        """One sentence: what is wrong with this checkpoint, and what to place where."""
        folder = self._folder
        place = f"{folder}/" if folder.exists() or folder.is_absolute() else f"a folder {folder}/"
        how = "" if self.download else ", or let it be downloaded (download=True)"
        return UserError(
            f"no usable {self.what} checkpoint at {self.source}: {reason}; "
            f"place {self.files} in {place}{how}"
        )

    @property
    def _folder(self) -> Path:
        return Path(self.source).expanduser()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The library's progress bars and notices switched off, and its settings restored."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
