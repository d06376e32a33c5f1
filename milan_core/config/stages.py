"""Sections of the configuration: settings of the stages from mining to scores."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from milan_core.config.zoo import Name, Section

Side = Annotated[str, Field(pattern=r"^[a-z0-9_/-]+$")]


class Exemplars(Section):
    """Mining of the top-activating images and regions (paper section 3.1)."""

    k: int = Field(15, ge=1, description="Exemplars per unit")
    quantile: float = Field(0.99, gt=0, lt=1, description="Quantile of the unit's own activations")
    mode: Literal["top", "bottom", "magnitude"] = Field(
        "top",
        description="Which activations are strong: the largest, the smallest, or farthest from 0",
    )
    shards: int = Field(1, ge=1, description="Jobs that share the probe set; changing it re-scans")
    levels: Literal["binned", "exact", "sketch"] = Field(
        "binned",
        description="binned: within 0.1 %, a few KB a unit; exact: keeps the values above; sketch: "
        "the published estimate, its random choices seeded, in one shard",
    )
    sample: int = Field(
        1024, ge=0, description="Images for the distribution of values and for bands; 0: neither"
    )
    bands: int = Field(
        0, ge=0, description="Bands of the images' activations to draw images from; 0: none"
    )
    band_size: int = Field(3, ge=1, description="Images drawn evenly from each band")

    @model_validator(mode="after")
    def _sketch_in_order(self) -> Exemplars:
        if self.levels == "sketch" and self.shards > 1:
            message = (
                f"levels: sketch reads the images in order: shards must be 1, not {self.shards}"
            )
            raise ValueError(message)
        return self


class EncoderSpec(Section):
    """The frozen network whose masked features the captioner reads (paper section 3.2)."""

    model: Name = Field(description="Entry of model_zoo")
    layers: list[str] = Field(min_length=1, description="Layers that are read, fine to coarse")
    kind: Literal["pyramid", "spatial"] = Field(
        "pyramid",
        description="pyramid: mean of each layer under the mask; spatial: cells of the last layer",
    )
    resize: Literal["area", "bilinear"] = Field(
        "area", description="How a mask shrinks to a map: exact areas, or four points as published"
    )
    append_area: bool = Field(True, description="Pyramid: add the mask's area as one more feature")


class CaptionerSpec(Section):
    """Captioner p(d|E) and language model p(d): sizes and training (spec 4.3 to 4.5)."""

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
    lr: float = Field(1e-3, gt=0, description="AdamW learning rate")
    weight_decay: float = Field(1e-2, ge=0, description="AdamW weight decay")
    max_epochs: int = Field(100, ge=1, description="Longest training")
    patience: int = Field(4, ge=0, description="Stop after more than this many epochs without gain")
    hold_out: float = Field(0.1, gt=0, lt=1, description="Share of units kept for early stopping")
    stop_on: Literal["bleu", "loss"] = Field("bleu", description="What early stopping watches")
    keep: Literal["best", "last"] = Field(
        "best", description="Weights kept: of the best epoch, or of the last as published"
    )
    lm_hold_out: Literal["unit", "description"] = Field(
        "unit",
        description="Held out from the language model: texts of whole units, or single texts as "
        "published",
    )
    attention_weight: float = Field(
        1.0, ge=0, description="Weight of the penalty that spreads attention over all exemplars"
    )
    length: int = Field(
        15, ge=1, description="Longest description in tokens when early stopping watches BLEU"
    )
    standardise: bool = Field(True, description="Standardise features by the training units")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Products in training; auto: bfloat16 on a GPU, float32 elsewhere"
    )
    splits: dict[str, Any] = Field(
        {}, description="Settings of this section for splits, by name, or for all `within` ones"
    )


class DescribeSpec(Section):
    """Decoding (paper section 3.4): beam search, then re-ranking by weighted PMI."""

    strategy: Literal["rerank", "beam", "greedy", "sample"] | None = Field(
        None, description="How words are chosen; null: rerank, or beam without a language model"
    )
    mi: bool | None = Field(
        None,
        description="beam, greedy, sample: subtract lambda log p(w) word by word; null: yes where "
        "there is a language model, as published",
    )
    temperature: float = Field(0.2, ge=0, description="lambda of log p(d|E) - lambda log p(d)")
    beam_size: int = Field(50, ge=1, description="Beams")
    length: int = Field(15, ge=1, description="Longest description in tokens, stop included")
    legacy: bool = Field(False, description="Count one term of p(d) past the stop, as published")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="Products of the captioner; bfloat16 where the hardware has it"
    )


class GeneralizationSpec(Section):
    """Which captioners are trained and how their descriptions are scored."""

    seeds: list[int] = Field([0], min_length=1, description="Trials of every split")
    more_seeds: dict[str, list[int]] = Field({}, description="Further trials of single splits")
    across: dict[str, list[tuple[Side, Side]]] = Field(
        {},
        description="Experiments by name: pairs [learnt from, described] of networks, annotation "
        "sets or published groups of them; `all` is the corpus",
    )
    within_test: float = Field(
        0.2, gt=0, lt=1, description="Share of units tested within a network"
    )
    lambdas: list[float] = Field(
        [0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0], description="Values compared on the same beams"
    )
    bertscore: Name | None = Field(
        None, description="Asset with the text encoder; null leaves it out"
    )
    bertscore_layer: int = Field(5, ge=0, description="Layer of the text encoder")
    bootstrap: int = Field(1000, ge=100, description="Resamples of the units for intervals")
