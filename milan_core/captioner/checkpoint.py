"""Captioners on disk: a folder of three files, none of which can run code.

    config.json            format, sizes of the networks, and `meta`: record of training or release
    vocabulary.json        the words in id order
    weights.safetensors    every tensor, with a checksum

`load_captioner` also reads the authors' released `milan-*.pth` containers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from milan_core.captioner.captioner import Captioner
from milan_core.captioner.decoder import Decoder
from milan_core.captioner.language_model import LanguageModel
from milan_core.captioner.options import CAPTIONER_FILES
from milan_core.captioner.release import captioner_parts, filled, read_release
from milan_core.captioner.vocabulary import Tokenizer, Vocabulary
from milan_core.core.errors import UserError, reads
from milan_core.core.files import canonical_json, read_json, text_hash, write_json
from milan_core.core.options import Content
from milan_core.core.tensors import load_tensors, save_tensors

KIND, FORMAT = "captioner", 1
CONFIG, VOCABULARY, WEIGHTS = CAPTIONER_FILES


def save_captioner(captioner: Captioner, folder: Path | str, meta: Mapping[str, Any]) -> None:
    """Write the captioner to `folder`; `config.json` comes last and marks the folder complete."""
    folder = Path(folder)
    words = list(captioner.tokenizer.vocabulary.words)
    model = captioner.language_model
    arrays = {
        name: tensor.detach().cpu().numpy() for name, tensor in captioner.state_dict().items()
    }
    save_tensors(folder / WEIGHTS, KIND, FORMAT, arrays, {"vocabulary": _words_hash(words)})
    write_json(folder / VOCABULARY, words)
    config = {
        "kind": KIND,
        "format": FORMAT,
        "feature_size": captioner.decoder.feature_size,
        "decoder": captioner.decoder.sizes(),
        "language_model": None if model is None else model.sizes(),
        "meta": dict(meta),
    }
    write_json(folder / CONFIG, config)


class WeightsMeta(Content):
    """Metadata of the weights of a captioner."""

    vocabulary: str  # digest of its words


def captioner_folder(files: Sequence[Path]) -> Path:
    """The folder of a captioner's files, which a job declares one by one."""
    names, folders = {path.name for path in files}, {path.parent for path in files}
    if names != set(CAPTIONER_FILES) or len(folders) != 1:
        message = (
            f"got {', '.join(map(str, files))}; a captioner is {', '.join(CAPTIONER_FILES)} in one "
            "folder"
        )
        raise UserError(message)
    return folders.pop()


def load_captioner(path: Path | str | Sequence[Path]) -> Captioner:
    """Load the captioner of a run's folder or of a released `milan-*.pth` file, for evaluation.

    Paths of the files in a folder may be given instead of the folder.

    Raises:
        UserError: there is no file, or it is damaged or not a captioner. Nothing in it is executed.
    """
    if not isinstance(path, Path | str):
        path = path[0] if len(path) == 1 else captioner_folder(path)
    path = Path(path)
    if path.is_dir() or path.is_file():
        captioner = _load_folder(path) if path.is_dir() else _load_release(path)
        captioner.origin = path
        return captioner
    message = (
        f"captioner not found: {path}; give a folder with {CONFIG}, or a released milan-*.pth file"
    )
    raise UserError(message)


def _load_release(path: Path) -> Captioner:
    parts = captioner_parts(read_release(path))
    captioner = Captioner(parts.decoder, parts.language_model, parts.tokenizer).eval()
    captioner.meta = parts.meta
    return captioner


@reads("the folder of a captioner", "train or convert it again")
def _load_folder(folder: Path) -> Captioner:
    if folder.is_dir() and not (folder / CONFIG).exists():
        inside = sorted(str(found.parent) for found in folder.glob(f"*/{CONFIG}"))
        inside = inside or sorted(str(found.parent) for found in folder.glob(f"*/*/{CONFIG}"))
        hint = f"those in it: {', '.join(inside[:10])}" if inside else "it has none in it"
        raise UserError(f"{folder} is no folder of a captioner (it has no {CONFIG}); {hint}")
    config = read_json(folder / CONFIG, "captioner configuration")
    if not isinstance(config, dict) or config.get("kind") != KIND:
        message = f"{folder / CONFIG} does not describe a captioner"
        raise UserError(message)
    if config.get("format") != FORMAT:
        message = (
            f"{folder}: captioner format {config.get('format')}, this release reads {FORMAT}; "
            "train or convert it again"
        )
        raise UserError(message)
    words = read_json(folder / VOCABULARY, "vocabulary")
    arrays, header = load_tensors(folder / WEIGHTS, KIND, WeightsMeta, (FORMAT,))
    if header.vocabulary != _words_hash(words):
        message = f"{folder}: {VOCABULARY} and {WEIGHTS} belong to different captioners"
        raise UserError(message)
    if wrong := [name for name, array in arrays.items() if not np.isfinite(array).all()]:
        message = (
            f"{folder / WEIGHTS}: numbers of {wrong[0]} are NaN or infinite; train or convert it "
            "again"
        )
        raise UserError(message)
    try:
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise TypeError(f"{VOCABULARY} is not a list of words")
        tokenizer = Tokenizer(Vocabulary(tuple(words)))
        size, sizes = tokenizer.vocabulary.size, config["language_model"]
        if sizes is not None and not 0 < sizes.get("layers", 1) <= len(arrays):
            raise ValueError(f"{sizes['layers']} layers")  # would be built one by one

        def build() -> Captioner:
            decoder = Decoder(config["feature_size"], size, **config["decoder"])
            language_model = None if sizes is None else LanguageModel(tokenizer, **sizes)
            return Captioner(decoder, language_model, tokenizer)

        captioner = filled(build, {name: torch.from_numpy(x) for name, x in arrays.items()})
        captioner.meta = dict(config.get("meta", {}))
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        message = f"{folder}: {CONFIG} does not fit {WEIGHTS} ({reason}); train or convert it again"
        raise UserError(message) from None
    return captioner.eval()


def _words_hash(words: Any) -> str:
    return text_hash(canonical_json(words), 64)
