"""The attention LSTM that gives log p(description | exemplars).

Hernandez et al. 2022, section 3.2, after "Show, attend and tell" (Xu et al. 2015). Symbols used in
the shape comments: U units, k exemplars of a unit, F features of an exemplar, B hypotheses of a
unit (beams, or 1), T time steps, V vocabulary ids, and the widths E (embedding), H (hidden) and
A (attention).

    v_j       standardized features of exemplar j
    h_0, c_0  tanh(W_h mean_j v_j), tanh(W_c mean_j v_j)
    e_j       w_a . tanh(W_q h_{t-1} + W_k v_j)          additive attention
    ctx       sum_j softmax(e)_j v_j
    h_t, c_t  LSTMCell([Emb(w_{t-1}); sigmoid(W_g h_{t-1}) * ctx], (h_{t-1}, c_{t-1}))
    log p     log_softmax(W_o dropout(h_t))

Everything that does not depend on h is computed once: W_k v per unit, and the word half of the
LSTM's input for the whole sequence (training) or the whole vocabulary (search).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from milan_core.captioner.options import CaptionerSettings
from milan_core.captioner.recurrence import HiddenWeights, attend, product, run_sequence
from milan_core.core.numbers import varies

_DEFAULT = CaptionerSettings()


class Exemplars(NamedTuple):
    """Exemplars of each unit; shared by all hypotheses of the unit."""

    features: Tensor  # [U, k, F] standardized
    keys: Tensor  # [U, k, A] W_k v + b_k + b_q


class State(NamedTuple):
    """The LSTM state before the first word."""

    h: Tensor  # [U, 1, H]
    c: Tensor  # [U, 1, H]


class Decoder(nn.Module):
    """p(d|E): reads (units, k, F) features, gives log-probabilities of the next word."""

    feature_mean: Tensor  # [F]
    feature_scale: Tensor  # [F] 1 / deviation

    def __init__(
        self,
        feature_size: int,
        vocabulary_size: int,
        *,
        embedding: int = _DEFAULT.embedding,
        hidden: int = _DEFAULT.hidden,
        attention: int | None = _DEFAULT.attention,
        dropout: float = _DEFAULT.dropout,
    ) -> None:
        super().__init__()
        width = min(hidden, feature_size) if attention is None else attention
        self.register_buffer("feature_mean", torch.zeros(feature_size))
        self.register_buffer("feature_scale", torch.ones(feature_size))
        self.init_h = nn.Linear(feature_size, hidden)
        self.init_c = nn.Linear(feature_size, hidden)
        self.embedding = nn.Embedding(vocabulary_size, embedding)
        self.query = nn.Linear(hidden, width)
        self.key = nn.Linear(feature_size, width)
        self.energy = nn.Linear(width, 1, bias=False)  # a bias would cancel in the softmax
        self.gate = nn.Linear(hidden, feature_size)
        self.lstm = nn.LSTMCell(embedding + feature_size, hidden)
        self.output = nn.Linear(hidden, vocabulary_size)
        self.dropout = nn.Dropout(dropout)

    @property
    def feature_size(self) -> int:
        """F, the features of one exemplar."""
        return self.key.in_features

    def sizes(self) -> dict[str, float | int]:
        """The keyword arguments that build a decoder like this one."""
        return {
            "embedding": self.embedding.embedding_dim,
            "hidden": self.query.in_features,
            "attention": self.query.out_features,
            "dropout": self.dropout.p,
        }

    def standardize(self, mean: Tensor, deviation: Tensor) -> None:
        """From now on read (features - mean) / deviation, per feature; constant features give 0."""
        self.feature_mean.copy_(mean)
        scale = torch.where(varies(mean, deviation), 1 / deviation.clamp(min=1e-12), 0.0)
        self.feature_scale.copy_(scale)

    def prepare(self, features: Tensor) -> tuple[Exemplars, State]:
        """Exemplar features (U, k, F) as the decoder's conditions and its first state (U, 1, H)."""
        features = (features - self.feature_mean) * self.feature_scale
        keys = functional.linear(features, self.key.weight, self.key.bias + self.query.bias)
        pooled = features.mean(dim=1, keepdim=True)
        state = State(torch.tanh(self.init_h(pooled)), torch.tanh(self.init_c(pooled)))
        return Exemplars(features, keys), state

    def hidden_weights(self) -> HiddenWeights:
        """The weights of everything that is computed from h_{t-1}, and of the context input."""
        split = self.embedding.embedding_dim
        return HiddenWeights(
            recurrent=torch.cat([self.query.weight, self.gate.weight, self.lstm.weight_hh]),
            gate_bias=self.gate.bias,
            energy=self.energy.weight[0],
            context=self.lstm.weight_ih[:, split:],
        )

    def word_inputs(self, tokens: Tensor | None = None) -> Tensor:
        """The word part of the LSTM's gates, biases included: (*tokens.shape, 4H), or (V, 4H)."""
        split = self.embedding.embedding_dim
        vectors = self.embedding.weight if tokens is None else self.embedding(tokens)
        bias = self.lstm.bias_ih + self.lstm.bias_hh
        return functional.linear(vectors, self.lstm.weight_ih[:, :split], bias)

    def attend(
        self,
        exemplars: Exemplars,
        units: Tensor,  # [R] ascending, the unit of every hypothesis
        h: Tensor,  # [R, H]
        weights: HiddenWeights,
    ) -> tuple[Tensor, Tensor]:
        """The input of the next step that does not depend on its word.

        The LSTM's gates without their word part (R, 4H), and the attention weights (R, k). Features
        and keys are never copied per hypothesis.
        """
        return attend(exemplars.features, exemplars.keys, units, h, weights)

    def unbiased_logits(self, h: Tensor, weight: Tensor | None = None) -> Tensor:
        """Logits of the next word (R, V), to which the output's bias is still to be added.

        `weight` replaces the output's weight, in another type.
        """
        return product(self.dropout(h), self.output.weight if weight is None else weight)

    def forward(self, features: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Teacher forcing: hidden states (N, T, H) and attention weights (N, T, k).

        Args:
            features: float32 (N, k, F), one row per annotation.
            tokens: int64 (N, T), the words read: start, then the annotation.
        """
        exemplars, state = self.prepare(features)
        return run_sequence(
            exemplars.features,
            exemplars.keys,
            state.h[:, 0],
            state.c[:, 0],
            self.word_inputs(tokens),
            self.hidden_weights(),
        )

    def word_logp(self, features: Tensor, tokens: Tensor) -> Tensor:
        """Log p(w|E) of every given word (N, T - 1), for `tokens` (N, T), start first."""
        hidden, _ = self(features, tokens[:, :-1])
        logp = functional.log_softmax(self.output(hidden), dim=-1)
        return logp.gather(2, tokens[:, 1:].unsqueeze(2)).squeeze(2)
