"""Training of a captioner: first the language model, then the decoder.

Hernandez et al. 2022, section 3.2 and the published training code: AdamW, teacher forcing, the
mean negative log-likelihood of the words, for the decoder also the doubly stochastic attention
penalty of Xu et al. 2015 (equation 14), early stopping on held-out units. `pairs` splits, `tasks`
fits one epoch, `fitting` stops and resumes.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from milan_core.captioner.captioner import Captioner
from milan_core.captioner.options import CaptionerSettings
from milan_core.captioner.training.fitting import Row, StateFile, fit
from milan_core.captioner.training.pairs import build_corpus
from milan_core.captioner.training.tasks import DecoderTask, LanguageTask
from milan_core.captioner.vocabulary import Tokenizer
from milan_core.core.errors import UserError
from milan_core.core.files import canonical_json

_LOG = logging.getLogger(__name__)

STATE = ".training-state.safetensors"
"""In the captioner's folder while it is trained: what a killed training resumes from."""
HISTORY = ("phase", "epoch", "train_loss", "val_loss", "bleu", "best")
_NEUTRAL = {"checkpoint_seconds", "max_unit_batch", "precision"}  # decide no trained byte
_BLOCK = 256


class Trained(NamedTuple):
    """A captioner in evaluation mode, and one row per epoch of its training."""

    captioner: Captioner
    history: list[Row]

    def rows(self) -> list[list[Any]]:
        """Rows of history.csv."""
        return [[row[name] for name in HISTORY] for row in self.history]


def train_captioner(
    features: np.ndarray,
    annotations: Sequence[Sequence[str]],
    settings: CaptionerSettings,
    seed: int,
    *,
    state: Path | None = None,
    device: str = "cpu",
    code: str = "",
    meta: Mapping[str, Any] | None = None,
) -> Trained:
    """Train both models on the given units.

    A training that was killed resumes from its state file and gives the same bytes.

    Args:
        features: float16 or float32 (N, k, F), may be memory-mapped.
        annotations: the texts of every unit; units without any take no part.
        settings: sizes and training options.
        seed: of the hold-out, the initial weights, the order of the batches and the dropout.
        state: file to resume from; the caller removes it once the captioner is written. None: a
            killed training starts afresh.
        device: where to train; only "cpu" promises equal bytes for equal seeds.
        code: version of the training sources; a state that other sources left is not resumed.
        meta: further entries of the captioner's `meta`; they decide nothing.

    Raises:
        UserError: features and annotations do not fit, or the loss diverges.

    """
    _check(features, annotations)
    corpus = build_corpus(annotations, settings.hold_out, seed, settings.lm_hold_out)
    tokenizer = Tokenizer(corpus.vocabulary)
    precision = settings.precision_on(device)
    inputs = _fingerprint(features, annotations, settings, [seed, precision])
    progress = StateFile(state, f"{inputs} {code}", settings.checkpoint_seconds)
    history: list[Row] = []
    language_model = None
    with torch.random.fork_rng(devices=[]):
        if settings.language_model:
            language_task = LanguageTask(corpus, tokenizer, settings, seed, device)
            history += fit(language_task, progress, settings)
            language_model = language_task.model
        decoder_task = DecoderTask(corpus, tokenizer, features, settings, seed, device)
        decoder_rows = fit(decoder_task, progress, settings)
    if settings.keep == "best":
        _warn_of_early_stop(decoder_rows)
    captioner = Captioner(
        decoder_task.model, language_model, tokenizer, max_unit_batch=settings.max_unit_batch
    ).eval()
    captioner.meta = {
        "source": "trained",
        "seed": seed,
        "settings": settings.model_dump(mode="json"),
        "inputs": inputs,
        "held_out_units": corpus.held_out_units.tolist(),
        "precision": precision,
        **(meta or {}),
    }
    return Trained(captioner, [*history, *decoder_rows])


def _warn_of_early_stop(rows: Sequence[Row]) -> None:
    """Warn when BLEU chose an epoch whose loss shows a decoder that is hardly trained.

    Corpus BLEU is 0 for descriptions shorter than four words, however right they are, and above 0
    by chance for an untrained decoder that repeats frequent words.
    """
    best = [row for row in rows if row["best"]][-1]
    lowest = min(row["val_loss"] for row in rows)
    if best["val_loss"] > 1.1 * lowest:
        _LOG.warning(
            "the decoder's best BLEU (%.2f) was in epoch %d with a held-out loss of %.3f, but the "
            "loss fell to %.3f: for short descriptions set captioner.stop_on to loss",
            *(best["bleu"], best["epoch"], best["val_loss"], lowest),
        )


def _check(features: np.ndarray, annotations: Sequence[Sequence[str]]) -> None:
    if features.ndim != 3 or features.dtype not in (np.float16, np.float32):
        message = (
            f"features are {features.dtype} {features.shape}; training reads float16 or float32 "
            "(units, k, F)"
        )
        raise UserError(message)
    if len(features) != len(annotations):
        message = f"got features of {len(features)} units and annotations of {len(annotations)}"
        raise UserError(message)
    for start in range(0, len(features), _BLOCK):
        bad = ~np.isfinite(features[start : start + _BLOCK]).all(axis=(1, 2))
        if bad.any():
            message = f"the features of unit {start + int(bad.argmax())} are not finite"
            raise UserError(message)


def _fingerprint(
    features: np.ndarray,
    annotations: Sequence[Sequence[str]],
    settings: CaptionerSettings,
    facts: list[Any],
) -> str:
    """SHA-256 of everything that decides the trained bytes."""
    decisive = settings.model_dump(mode="json", exclude=_NEUTRAL)
    texts = [list(unit) for unit in annotations]
    head = [*facts, decisive, texts, features.dtype.str, list(features.shape)]
    digest = hashlib.sha256(canonical_json(head).encode())
    for start in range(0, len(features), _BLOCK):
        digest.update(np.ascontiguousarray(features[start : start + _BLOCK]).data)
    return digest.hexdigest()
