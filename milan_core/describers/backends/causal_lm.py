"""A prior p(d) from any causal language model: GPT-2, Llama, SmolLM2, a GGUF file.

    log p(d) = sum over tokens of log p(token | start, tokens before) + log p(end | start, d)

in nats. The end counts by default because only then is p a distribution over complete descriptions,
like p(d|E) and like the LSTM prior; a general model finds it unlikely that a document ends after a
phrase, and `end=False` leaves it out. There is no normalization by length and no softmax
temperature: the one weight of the prior is lambda of `pmi_describe`. Since such a model was not
trained on descriptions, its lambda is its own and should be chosen on held-out units.

The start is the tokenizer's beginning-of-text id or, for families that have only one boundary id
(GPT-2), the end-of-text id. Descriptions are read as they are written.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from milan_core.core.errors import UserError
from milan_core.core.packages import absent
from milan_core.describers.backends.options import CausalPriorOptions
from milan_core.describers.backends.scoring import by_length, padded, target_logp
from milan_core.networks.checkpoints import Checkpoint

_FILES = "config.json, model.safetensors and the tokenizer's files (the save_pretrained folder)"


class CausalPrior:
    """The prior: `logp` of texts.

    Args:
        model: a causal language model of `transformers`.
        tokenizer: of the model.
        end: count the end of the text.
        token_batch: tokens in one batch, padding included.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        end: bool = True,
        token_batch: int = 2048,
    ) -> None:
        self._model, self._tokenizer, self._token_batch = model, tokenizer, token_batch
        stop, start = tokenizer.eos_token_id, tokenizer.bos_token_id
        start = stop if start is None else start
        if start is None or (end and stop is None):
            message = (
                "this language model's tokenizer has no beginning or no end of text; set bos_token "
                "and eos_token in its tokenizer_config.json, or use end=False"
            )
            raise UserError(message)
        self._start = start
        self._suffix = [stop] if end else []
        self._limit = getattr(model.config, "max_position_embeddings", None)

    @classmethod
    def load(cls, options: CausalPriorOptions, device: str = "cpu") -> CausalPrior:
        """Read a checkpoint: a folder, a hub name, or a .gguf file.

        Raises:
            UserError: the checkpoint is missing or incomplete, or a package for GGUF is.

        """
        source, path, extra, files = options.source, Path(options.source).expanduser(), {}, _FILES
        if path.suffix == ".gguf":
            _check_gguf(path)
            source, extra, files = str(path.parent), {"gguf_file": path.name}, path.name
        checkpoint = Checkpoint("causal language model", source, files, options.download)
        if not extra:
            checkpoint.check()
        from transformers import AutoModelForCausalLM, AutoTokenizer

        tokenizer = checkpoint.part(AutoTokenizer, **extra)
        model = checkpoint.model(AutoModelForCausalLM, device, **extra)
        return cls(model, tokenizer, end=options.end)

    @torch.inference_mode()
    def logp(self, texts: Sequence[str]) -> np.ndarray:
        """Log p(d) of every text, in nats: float32 (len(texts),). Repeated texts cost nothing."""
        distinct = list(dict.fromkeys(texts))
        rows = [[self._start, *self._ids(text), *self._suffix] for text in distinct]
        self._check_lengths(distinct, rows)
        values = np.zeros(len(rows))
        device = next(self._model.parameters()).device
        for batch in by_length(rows, ids=self._token_batch):
            ids, lengths = padded([rows[row] for row in batch], device)
            present = torch.arange(ids.shape[1], device=device) < lengths.unsqueeze(1)
            out = self._model(
                input_ids=ids[:, :-1], attention_mask=present[:, :-1].long(), use_cache=False
            )
            values[batch] = target_logp(out.logits, ids[:, 1:], lengths - 1)
        row_of = {text: row for row, text in enumerate(distinct)}
        return values[[row_of[text] for text in texts]].astype(np.float32)

    def _ids(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False) if text else []

    def _check_lengths(self, texts: list[str], rows: list[list[int]]) -> None:
        for text, row in zip(texts, rows, strict=True):
            if self._limit is not None and len(row) > self._limit:
                message = (
                    f"the text {text[:40]!r}... has {len(row)} tokens with start and end, this "
                    f"language model reads {self._limit}; shorten it"
                )
                raise UserError(message)


def _check_gguf(path: Path) -> None:
    """A GGUF file must exist, and reading one needs two more packages."""
    if not path.is_file():
        message = f"no language model at {path}; place the .gguf file there"
        raise UserError(message)
    missing = [name for name in ("gguf", "accelerate") if importlib.util.find_spec(name) is None]
    if missing:
        raise absent(missing[0], "gguf", f"for {path} (not for folders with model.safetensors)")
