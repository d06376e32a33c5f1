"""The numbers that define a captioner and its training."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from milan_core.core.errors import UserError, unknown

PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class CaptionerSettings:
    """Sizes and training options; the defaults are those of the published system.

    Sources: Hernandez et al. 2022, section 3.2-3.4 and appendix, checked against the released code.
    """

    embedding: int = 128
    """Width of the decoder's word vectors."""
    hidden: int = 512
    """Width of the decoder's LSTM."""
    attention: int | None = None
    """Width of the attention layer; None means the smaller of hidden and feature size."""
    dropout: float = 0.5
    """On the decoder's LSTM output, and between the layers of the language model."""
    language_model: bool = True
    """Whether to train one; without it there is no reranking and no mutual information."""
    lm_embedding: int = 128
    """Width of the language model's word vectors."""
    lm_hidden: int = 512
    """Width of each LSTM layer of the language model."""
    lm_layers: int = 2
    """LSTM layers of the language model."""
    batch: int = 64
    """(unit, annotation) pairs per decoder update."""
    lm_batch: int = 128
    """Annotations per language-model update."""
    lr: float = 1e-3
    """AdamW learning rate, constant."""
    weight_decay: float = 1e-2
    """AdamW decoupled weight decay."""
    max_epochs: int = 100
    """Upper bound of either fit."""
    patience: int = 4
    """A fit stops when more than this many epochs in a row bring no improvement."""
    hold_out: float = 0.1
    """Share of units kept out of both fits to decide when to stop."""
    stop_on: str = "bleu"
    """What ends the decoder's fit: "bleu" of greedy descriptions (up) or "loss" (down)."""
    keep: str = "best"
    """Weights that a fit ends with: of the "best" epoch, or of the "last", as the published code
    did against its intention."""
    lm_hold_out: str = "unit"
    """What the language model stops on: all texts of held-out "unit"s, or held-out "description"s
    of any unit, as published; these may be of units whose other texts it learns from."""
    attention_weight: float = 1.0
    """Weight of the doubly stochastic attention penalty (Xu et al. 2015, equation 14)."""
    length: int = 15
    """Longest description in tokens, the stop token counted."""
    standardise: bool = True
    """Scale every feature to mean 0 and deviation 1 over the training units; the released
    captioners take raw features (False)."""
    precision: str = "auto"
    """"bfloat16" runs the products outside the recurrence in bfloat16, weights and sums stay
    float32; "auto" does so on a GPU and nowhere else."""
    max_unit_batch: int | None = None
    """Units decoded at once; None suits the device. Bounds memory, changes no result."""
    checkpoint_seconds: float = 20.0
    """Least time between two writes of the resumable training state; changes no result."""

    def __post_init__(self) -> None:
        """Refuse values that no fit can use."""
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and value < 1:
                message = f"captioner.{name} is {value}; give a whole number of at least 1"
                raise UserError(message)
        if not 0 < self.hold_out < 1:
            message = f"captioner.hold_out is {self.hold_out}; give a share between 0 and 1"
            raise UserError(message)
        if not 0 <= self.dropout < 1:
            message = f"captioner.dropout is {self.dropout}; give a number from 0 to below 1"
            raise UserError(message)
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise unknown("value", getattr(self, name), known, f"captioner.{name}")

    def precision_on(self, device: str) -> str:
        """The precision of a training on `device`: float32 or bfloat16."""
        if self.precision != "auto":
            return self.precision
        return "bfloat16" if device.startswith("cuda") else "float32"

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> CaptionerSettings:
        """Settings from configuration keys; refuses a key that is not a setting."""
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise unknown("setting", name, known, "captioner")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        return asdict(self)


_CHOICES = {
    "stop_on": ("bleu", "loss"),
    "keep": ("best", "last"),
    "lm_hold_out": ("unit", "description"),
    "precision": PRECISIONS,
}
_POSITIVE = (
    *("embedding", "hidden", "attention", "lm_embedding", "lm_hidden", "lm_layers"),
    *("batch", "lm_batch", "max_epochs", "length", "max_unit_batch"),
)
