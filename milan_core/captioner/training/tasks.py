"""The two models that training fits: p(d) and p(d|E); see `train`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from milan_core.captioner.decoder import Decoder
from milan_core.captioner.language_model import LanguageModel
from milan_core.captioner.options import CaptionerSettings
from milan_core.captioner.search import follow
from milan_core.captioner.stepping import Stepper
from milan_core.captioner.training.fitting import Row
from milan_core.captioner.training.pairs import Corpus
from milan_core.captioner.vocabulary import Tokenizer
from milan_core.core.optimizers import adamw
from milan_core.core.seeding import generator, seed_torch
from milan_core.networks.feeding import fits, on_way, torch_type
from milan_core.scoring.metrics import bleu

_BLOCK = 256
"""Units read at once when features are scanned."""


class LanguageTask:
    """Training of p(d) on single annotations, stopped by the loss on held-out annotations."""

    name = "language model"

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: Tokenizer,
        settings: CaptionerSettings,
        seed: int,
        device: str,
    ) -> None:
        self._corpus, self._settings, self._seed, self._device = corpus, settings, seed, device
        seed_torch(seed, self.name, "weights")
        self.model = LanguageModel(
            tokenizer,
            embedding=settings.lm_embedding,
            hidden=settings.lm_hidden,
            layers=settings.lm_layers,
            dropout=settings.dropout,
        ).to(device)
        self.optimizer = _optimizer(self.model, settings)

    def train_epoch(self, epoch: int) -> float:
        """One pass over the shuffled pairs: the mean loss per word."""
        seed_torch(self._seed, self.name, "dropout", epoch)
        order = generator(self._seed, self.name, "order", epoch)
        self.model.train()
        total = _Mean()
        for _, tokens in self._corpus.lm_train.batches(self._settings.lm_batch, order):
            with _autocast(self._settings, self._device):
                loss, words = self._loss(tokens)
            _update(self.optimizer, loss)
            total.add(loss, words)
        return total.value

    @torch.no_grad()
    def evaluate(self) -> Row:
        """Loss and, for the decoder, BLEU of greedy descriptions on the held-out units."""
        self.model.eval()
        total = _Mean()
        for _, tokens in self._corpus.lm_held_out.batches(self._settings.lm_batch):
            total.add(*self._loss(tokens))
        return {"val_loss": total.value, "bleu": None}

    def rank(self, row: Row) -> Sequence[float]:
        """The measures that decide which epoch is best."""
        return [-row["val_loss"]]

    def _loss(self, tokens: np.ndarray) -> tuple[Tensor, int]:
        hidden, _ = self.model(on_way(tokens[:, :-1], self._device))
        return _word_loss(self.model.output, hidden, tokens[:, 1:], self._corpus.vocabulary.pad)


class DecoderTask:
    """Training of p(d|E) on (unit, annotation) pairs, stopped by BLEU or loss on held-out units."""

    name = "decoder"

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: Tokenizer,
        features: np.ndarray,
        settings: CaptionerSettings,
        seed: int,
        device: str,
    ) -> None:
        self._corpus, self._tokenizer = corpus, tokenizer
        self._settings, self._seed, self._device = settings, seed, device
        self._rows = FeatureRows(features, device)
        seed_torch(seed, self.name, "weights")
        self.model = Decoder(
            features.shape[2],
            tokenizer.vocabulary.size,
            embedding=settings.embedding,
            hidden=settings.hidden,
            attention=settings.attention,
            dropout=settings.dropout,
        )
        if settings.standardise:
            self.model.standardize(*_moments(features, np.unique(corpus.train.units)))
        self.model.to(device)
        self.optimizer = _optimizer(self.model, settings)

    def train_epoch(self, epoch: int) -> float:
        """One pass over the shuffled pairs: the mean loss per word."""
        seed_torch(self._seed, self.name, "dropout", epoch)
        order = generator(self._seed, self.name, "order", epoch)
        self.model.train()
        total = _Mean()
        for units, tokens in self._corpus.train.batches(self._settings.batch, order):
            with _autocast(self._settings, self._device):
                loss, words, attention = self._loss(units, tokens)
            # Every exemplar should get a total weight of 1 (Xu et al. 2015, equation 14).
            penalty = (1 - attention.sum(dim=1)).square().mean()
            _update(self.optimizer, loss + self._settings.attention_weight * penalty)
            total.add(loss, words)
        return total.value

    @torch.no_grad()
    def evaluate(self) -> Row:
        """Loss and, for the decoder, BLEU of greedy descriptions on the held-out units."""
        self.model.eval()
        total = _Mean()
        for units, tokens in self._corpus.held_out.batches(self._settings.batch):
            loss, words, _ = self._loss(units, tokens)
            total.add(loss, words)
        score = bleu(self._describe(), self._corpus.references)["bleu"]
        return {"val_loss": total.value, "bleu": score}

    def rank(self, row: Row) -> Sequence[float]:
        """The measures that decide which epoch is best."""
        # Corpus BLEU is 0 until a four-word sequence agrees; the loss then decides.
        loss = [-row["val_loss"]]
        return [row["bleu"], *loss] if self._settings.stop_on == "bleu" else loss

    def _loss(self, units: np.ndarray, tokens: np.ndarray) -> tuple[Tensor, int, Tensor]:
        hidden, attention = self.model(self._rows(units), on_way(tokens[:, :-1], self._device))
        hidden, targets = self.model.dropout(hidden), tokens[:, 1:]
        loss, words = _word_loss(self.model.output, hidden, targets, self._corpus.vocabulary.pad)
        return loss, words, attention

    def _describe(self) -> list[str]:
        """Greedy descriptions of the held-out units, without mutual information."""
        words, texts = self._corpus.vocabulary, []
        # One hypothesis per unit, so a block of units is as large as a training batch.
        for units in _split(self._corpus.held_out_units, self._settings.batch):
            stepper = Stepper(self.model, self._rows(units))
            length = self._settings.length
            paths = follow(stepper, len(units), words.start, words.stop, length, early=True)
            texts += self._tokenizer.decode(paths.tokens)
        return texts


class FeatureRows:
    """Features (N, k, F) by unit; on a GPU they stay there where they fit, and are gathered there.

    Args:
        features: float16 or float32, may be memory-mapped.
        device: where they are read.

    """

    def __init__(self, features: np.ndarray, device: str) -> None:
        self._features, self._device = features, device
        self._there: Tensor | None = None
        if fits(features.nbytes, device):
            kind = torch_type(features.dtype)
            self._there = torch.empty(features.shape, dtype=kind, device=device)
            for part, rows in zip(self._there.split(_BLOCK), _split(features, _BLOCK), strict=True):
                part.copy_(torch.from_numpy(np.array(rows)))

    def __call__(self, units: np.ndarray) -> Tensor:
        """Features of the given units as float32 (n, k, F)."""
        if self._there is not None:
            return self._there[on_way(units, self._device)].float()
        return on_way(np.asarray(self._features[units], dtype=np.float32), self._device)


class _Mean:
    """A mean of batch losses, weighted by their words; only reading it waits for a GPU."""

    def __init__(self) -> None:
        self._sum: Tensor | float = 0.0
        self._count = 0

    def add(self, loss: Tensor, count: int) -> None:
        self._sum = self._sum + loss.detach().double() * count
        self._count += count

    @property
    def value(self) -> float:
        return float(self._sum) / max(1, self._count)


def _word_loss(
    output: torch.nn.Linear, hidden: Tensor, targets: np.ndarray, pad: int
) -> tuple[Tensor, int]:
    """Mean negative log-likelihood of the targets that are not padding, and their number."""
    real = np.nonzero(targets != pad)
    places = tuple(on_way(index, hidden.device) for index in real)
    # Only real positions are projected onto the vocabulary, the widest product of all.
    logits = output(hidden[places]).float()
    return functional.cross_entropy(logits, on_way(targets[real], hidden.device)), len(real[0])


def _autocast(settings: CaptionerSettings, device: str) -> torch.autocast:
    """Products in bfloat16 inside the block where the settings say so; held-out losses never."""
    mixed = settings.precision_on(device) == "bfloat16"
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=mixed)


def _update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def _optimizer(model: torch.nn.Module, settings: CaptionerSettings) -> torch.optim.Optimizer:
    return adamw(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay, fused=True)


def _split(units: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(units), size):
        yield units[start : start + size]


def _moments(features: np.ndarray, units: np.ndarray) -> tuple[Tensor, Tensor]:
    """Mean and deviation of every feature over the exemplars of `units`, summed in float64."""
    size = features.shape[2]
    count = len(units) * features.shape[1]
    mean = np.zeros(size)
    for rows in _split(units, _BLOCK):
        mean += features[rows].reshape(-1, size).sum(axis=0, dtype=np.float64) / count
    variance = np.zeros(size)
    for rows in _split(units, _BLOCK):
        centered = features[rows].reshape(-1, size).astype(np.float64) - mean
        variance += np.square(centered).sum(axis=0) / count
    return torch.from_numpy(mean), torch.from_numpy(np.sqrt(variance))
