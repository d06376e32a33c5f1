"""The language model: log p(description), a two-layer LSTM (Hernandez et al. 2022, section 3.2).

Shape symbols: N texts, T time steps, V vocabulary ids, L layers, H hidden width.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from milan_core.captioner.options import CaptionerSettings
from milan_core.captioner.recurrence import lstm_cell
from milan_core.captioner.vocabulary import Tokenizer
from milan_core.captioner.waiting import distinct
from milan_core.core.reproducible import plain_recurrence

_CELLS_PER_CHUNK = 1 << 24
"""Numbers in the widest tensor of one scoring chunk; bounds memory."""

_DEFAULT = CaptionerSettings()

LanguageState = tuple[Tensor, Tensor]
"""LSTM states h and c, each [L, rows, H]."""


class LanguageModel(nn.Module):
    """p(d): reads token ids, gives log-probabilities of the next token."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        embedding: int = _DEFAULT.lm_embedding,
        hidden: int = _DEFAULT.lm_hidden,
        layers: int = _DEFAULT.lm_layers,
        dropout: float = _DEFAULT.dropout,
    ) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        size, pad = tokenizer.vocabulary.size, tokenizer.vocabulary.pad
        self.embedding = nn.Embedding(size, embedding, padding_idx=pad)
        self.lstm = nn.LSTM(
            embedding, hidden, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0
        )
        self.output = nn.Linear(hidden, size)
        self._dropout = dropout

    def sizes(self) -> dict[str, float | int]:
        """The keyword arguments that build a language model like this one."""
        return {
            "embedding": self.embedding.embedding_dim,
            "hidden": self.lstm.hidden_size,
            "layers": self.lstm.num_layers,
            "dropout": self._dropout,
        }

    def forward(
        self, tokens: Tensor, state: LanguageState | None = None
    ) -> tuple[Tensor, LanguageState]:
        """LSTM outputs (N, T, H) for the token ids read (N, T), and the state after them."""
        with plain_recurrence():
            outputs, after = self.lstm(self.embedding(tokens), state)
        return outputs, after

    def step(
        self, tokens: Tensor, state: LanguageState | None, parents: Tensor | None = None
    ) -> tuple[Tensor, LanguageState]:
        """As `read`, with the log-probabilities of the next token (N, V) instead of the outputs."""
        outputs, state = self.read(tokens, state, parents)
        return functional.log_softmax(self.output(outputs), dim=-1), state

    def read(
        self, tokens: Tensor, state: LanguageState | None, parents: Tensor | None = None
    ) -> tuple[Tensor, LanguageState]:
        """Read one token (N,) after each of the rows `parents` (N,) of a state.

        Without parents, row n follows row n; without a state, nothing has been read. Rows with a
        common parent share what depends on it alone. Not for training: there is no dropout.

        Returns:
            outputs (N, H) and the new state.
        """
        rows = torch.arange(len(tokens), device=tokens.device)
        if state is None:
            blank = self.output.weight.new_zeros(self.lstm.num_layers, 1, self.lstm.hidden_size)
            state, parents = (blank, blank), torch.zeros_like(rows)
        parents = rows if parents is None else parents
        shared, place = distinct(parents)
        outputs, hidden, cells = self.embedding(tokens), [], []
        for layer, (h, c) in enumerate(zip(*state, strict=True)):
            into, onward, *biases = (
                getattr(self.lstm, f"{name}_l{layer}")
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            left = h[shared] @ onward.t()
            right = functional.linear(outputs, into, biases[0] + biases[1])
            outputs, cell = lstm_cell(left, place, right, rows, c, parents)
            hidden.append(outputs)
            cells.append(cell)
        return outputs, (torch.stack(hidden), torch.stack(cells))

    def sequence_logp(self, tokens: Tensor, *, legacy: bool = False) -> Tensor:
        """Natural log-probability of every row, up to and including its first stop: (N,).

        Args:
            tokens: int64 (N, T), without the start token; what follows the first stop is ignored.
            legacy: also count the one token after the stop, as the published code does.
        """
        vocabulary = self.tokenizer.vocabulary
        lengths = counted_lengths(tokens, vocabulary.stop) + int(legacy)
        lengths = lengths.clamp(max=tokens.shape[1])
        start = tokens.new_full((len(tokens), 1), vocabulary.start)
        inputs = torch.cat([start, tokens[:, :-1]], dim=1)
        result = self.output.weight.new_empty(len(tokens))
        # Rows of similar length together, so that short rows are not run to the longest one's end.
        order = torch.argsort(lengths, stable=True)
        rows = max(1, _CELLS_PER_CHUNK // (vocabulary.size * max(1, tokens.shape[1])))
        for chunk in order.split(rows):
            longest = int(lengths[chunk].max())
            targets = tokens[chunk, :longest]
            outputs, _ = self(inputs[chunk, :longest])
            logp = functional.log_softmax(self.output(outputs), dim=-1)
            terms = logp.gather(2, targets.unsqueeze(2)).squeeze(2)
            counted = torch.arange(longest, device=tokens.device) < lengths[chunk].unsqueeze(1)
            result[chunk] = torch.where(counted, terms, 0.0).sum(dim=1)
        return result

    @torch.no_grad()
    def logp(self, texts: Sequence[str], legacy: bool = False) -> np.ndarray:
        """Natural log-probability of every text, through its stop token: float32 (len(texts),).

        With `legacy`, a text shorter than the longest one also gets log p(pad | stop): the
        published code sums one position too many (specification 6.2, defect 2).
        """
        if not len(texts):
            return np.zeros(0, np.float32)
        training = self.training
        self.eval()
        try:
            tokens = torch.from_numpy(self.tokenizer.encode(list(texts))[:, 1:])
            tokens = tokens.to(self.output.weight.device)
            return self.sequence_logp(tokens, legacy=legacy).cpu().numpy()
        finally:
            self.train(training)


def counted_lengths(tokens: Tensor, stop: int) -> Tensor:
    """Tokens of every row (N, T) through its first stop; T where there is none: (N,)."""
    before = (tokens == stop).cumsum(dim=1) == 0
    return (before.sum(dim=1) + 1).clamp(max=tokens.shape[1])
