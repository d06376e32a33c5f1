"""Options of training a captioner and of decoding with it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from milan_core.core.options import Section

CAPTIONER_FILES = ("config.json", "vocabulary.json", "weights.safetensors")
"""Files of a captioner's folder; `config.json` is written last."""
DOMAIN = "domain.safetensors"
"""Beside them: which images are like those of the training."""


class CaptionerSettings(Section):
    """Sizes and training of p(d|E) and p(d); the defaults are those of the published system.

    Sources: Hernandez et al. 2022, sections 3.2 to 3.4 and appendix, checked against the released
    code (spec 4.3 to 4.5).
    """

    embedding: int = Field(128, ge=1, description="Captioner: word vector length")
    hidden: int = Field(512, ge=1, description="Captioner: LSTM state length")
    attention: int | None = Field(
        None,
        ge=1,
        description="Captioner: width of the attention; null: the smaller of hidden and features",
    )
    dropout: float = Field(0.5, ge=0, lt=1, description="Dropout of both models")
    language_model: bool = Field(True, description="Train p(d); without it beams are not re-ranked")
    lm_embedding: int = Field(128, ge=1, description="Language model: word vector length")
    lm_hidden: int = Field(512, ge=1, description="Language model: LSTM state length")
    lm_layers: int = Field(2, ge=1, description="Language model: LSTM layers")
    batch: int = Field(64, ge=1, description="Captioner: captions per step")
    lm_batch: int = Field(128, ge=1, description="Language model: captions per step")
    lr: float = Field(1e-3, gt=0, description="AdamW learning rate, constant")
    weight_decay: float = Field(1e-2, ge=0, description="AdamW weight decay")
    max_epochs: int = Field(100, ge=1, description="Most epochs of either model")
    patience: int = Field(4, ge=0, description="Stop after more than this many epochs without gain")
    hold_out: float = Field(0.1, gt=0, lt=1, description="Share of units kept for early stopping")
    stop_on: Literal["bleu", "loss"] = Field(
        "bleu", description="What early stopping watches: BLEU of greedy descriptions, or the loss"
    )
    keep: Literal["best", "last"] = Field(
        "best", description="Weights kept: of the best epoch, or of the last as published"
    )
    lm_hold_out: Literal["unit", "description"] = Field(
        "unit",
        description="Held out from the language model: texts of whole units, or single texts as "
        "published",
    )
    attention_weight: float = Field(
        1.0,
        ge=0,
        description="Weight of the penalty that spreads attention over all exemplars (Xu et al. "
        "2015, equation 14)",
    )
    length: int = Field(
        15, ge=1, description="Longest description in tokens when early stopping watches BLEU"
    )
    standardise: bool = Field(True, description="Standardize features by the training units")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Products in training; auto: bfloat16 on a GPU, float32 elsewhere"
    )
    max_unit_batch: int | None = Field(
        None,
        ge=1,
        description="Units decoded at once; null: by the device. Bounds memory, changes no result",
    )
    checkpoint_seconds: float = Field(
        20.0,
        ge=0,
        description="Least time between two writes of the state that a killed training resumes "
        "from; changes no result",
    )

    def precision_on(self, device: str) -> str:
        """The precision of a training on `device`: float32 or bfloat16."""
        if self.precision != "auto":
            return self.precision
        return "bfloat16" if device.startswith("cuda") else "float32"


class CaptionerSpec(CaptionerSettings):
    """Captioner p(d|E) and language model p(d): sizes and training."""

    splits: dict[str, CaptionerSettings] = Field(
        {},
        description="Settings that differ for a split, by its name, or for all splits `within` or "
        "`without` a network",
    )


class TrainingSplit(Section):
    """The units that one captioner is trained on."""

    name: str
    train: list[str]
    """Networks and annotation sets, in the order of their files."""
    test_share: float = 0.0
    """Share of the units that is kept for the test."""
    draw: Literal["groups", "units"] = "groups"
    """Whether units that are no independent observations stay on one side."""
    masking: Literal["exact", "whole"] = "exact"
    """Features that are read: those under the units' masks, or of whole images (a control)."""
    seed: int = 0
    """Of the choice of these units."""


class TrainedOn(Section):
    """The split and the seed of one training, and which epoch's weights it keeps."""

    split: str
    seed: int
    keep: Literal["best", "last"] = "best"


class BeamOptions(Section):
    """Candidates of beam search, re-ranked by weighted PMI (paper section 3.4)."""

    temperature: float = Field(0.2, ge=0, description="lambda of log p(d|E) - lambda log p(d)")
    beam_size: int = Field(50, ge=1, description="Beams")
    length: int = Field(15, ge=1, description="Longest description in tokens, stop included")


class DecodingOptions(BeamOptions):
    """Decoding (paper section 3.4): beam search, then re-ranking by weighted PMI."""

    strategy: Literal["rerank", "beam", "greedy", "sample"] | None = Field(
        None, description="How words are chosen; null: rerank, or beam without a language model"
    )
    mi: bool | None = Field(
        None,
        description="beam, greedy, sample: subtract lambda log p(w) word by word; null: yes where "
        "there is a language model, as published",
    )
    legacy: bool = Field(False, description="Count one term of p(d) past the stop, as published")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="Products of the captioner; bfloat16 where the hardware has it"
    )
    seed: int | None = Field(None, description="sample: seed of the draws; null: the run's, or 0")
