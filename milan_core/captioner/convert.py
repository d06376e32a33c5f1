"""A published `milan-*.pth` as a folder of safetensors and JSON, its encoder beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from milan_core.captioner.checkpoint import load_captioner, save_captioner
from milan_core.captioner.encoder import ENCODER_WEIGHTS, encoder_of
from milan_core.core.errors import UserError
from milan_core.core.files import file_sha256


@dataclass(frozen=True)
class Converted:
    """A converted captioner in numbers."""

    words: int
    feature_size: int
    language_model: bool
    encoder: str
    """Name of its encoder."""
    without_encoder: str = ""
    """Why the encoder's weights were left out; empty where they are in the folder."""

    def __str__(self) -> str:
        """One line for people."""
        prior = "with" if self.language_model else "without"
        return (
            f"{self.words} words, {self.feature_size} features of {self.encoder}, "
            f"{prior} language model"
        )


def convert_release(path: Path, out: Path, encoder_weights: Path | None = None) -> Converted:
    """Write the captioner in `path` to the folder `out`.

    The folder loads to the same tensors, vocabulary and encoder without a pickle. A container
    without its encoder is converted without one; it then decodes features only.

    Raises:
        UserError: `path` is no published captioner, or `encoder_weights` do not fit its encoder.

    """
    from milan_core.networks.weights import save_weights

    captioner = load_captioner(path)
    if captioner.meta.get("source") != "release" or path.is_dir():
        message = (
            f"{path} is not a published milan-*.pth file; a folder of ours needs no converting"
        )
        raise UserError(message)
    meta = {**captioner.meta, "release": {"file": path.name, "sha256": file_sha256(path)}}
    missing = ""
    try:
        encoder = encoder_of(captioner, weights=encoder_weights)
    except UserError as error:
        if encoder_weights is not None:
            raise
        missing = str(error)
    else:
        save_weights(encoder.model.module, out / ENCODER_WEIGHTS)
        meta["encoder_hash"] = encoder.hash
    save_captioner(captioner, out, meta)
    return Converted(
        words=len(captioner.tokenizer.vocabulary),
        feature_size=captioner.decoder.feature_size,
        language_model=captioner.language_model is not None,
        encoder=str(captioner.meta["encoder"].get("config")),
        without_encoder=missing,
    )
