"""A published `milan-*.pth` as a folder of safetensors and JSON, its encoder beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from milan_core.captioner.captioner import Captioner
from milan_core.captioner.checkpoint import load_captioner, save_captioner
from milan_core.captioner.own_encoder import ENCODER_WEIGHTS, encoder_of
from milan_core.core.errors import UserError
from milan_core.core.files import file_sha256


def convert_release(
    path: Path, out: Path, encoder_weights: Path | None = None
) -> tuple[Captioner, dict[str, Any]]:
    """Write the captioner in `path` to the folder `out`; returns it, and facts about it.

    The folder loads to the same tensors, vocabulary and encoder without a pickle in sight. A
    container without its encoder is converted without one; it then decodes features only.
    """
    from milan_core.networks.weights import save_weights

    captioner = load_captioner(path)
    if captioner.meta.get("source") != "release" or path.is_dir():
        message = (
            f"{path} is not a published milan-*.pth file; a folder of ours needs no converting"
        )
        raise UserError(message)
    facts: dict[str, Any] = {
        "words": len(captioner.tokenizer.vocabulary),
        "feature_size": captioner.decoder.feature_size,
        "language_model": captioner.language_model is not None,
        "encoder": captioner.meta["encoder"].get("config"),
    }
    meta = {**captioner.meta, "release": {"file": path.name, "sha256": file_sha256(path)}}
    try:
        encoder = encoder_of(captioner, weights=encoder_weights)
    except UserError as error:
        if encoder_weights is not None:
            raise
        facts["without_encoder"] = str(error)
    else:
        save_weights(encoder.model.module, out / ENCODER_WEIGHTS)
        meta["encoder_hash"] = encoder.hash
    save_captioner(captioner, out, meta)
    return captioner, facts
