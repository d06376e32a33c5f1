"""Parameters of the jobs that train captioners and describe with them.

Keys that came later are left out where they have their default, so that jobs of configurations
without them are the same as before.
"""

from __future__ import annotations

from milan_core.captioner.options import CaptionerSpec, DecodingOptions
from milan_core.config import Config
from milan_core.core.errors import UserError, unknown
from milan_core.core.files import canonical_json
from milan_core.plan.splits import KINDS

_LATER_SETTINGS = {"attention", "language_model", "lm_layers", "attention_weight", "length"}


def captioner_params(config: Config, split: str) -> str:
    """The canonical JSON of the captioner settings of a split: the section, then its overrides.

    `within` and `without` stand for all splits of that kind; other keys name one split.
    """
    section = config.captioner.model_dump(exclude={"splits", *_LATER_SETTINGS})
    section |= config.captioner.model_dump(include=_LATER_SETTINGS, exclude_defaults=True)
    known = [name for name in CaptionerSpec.model_fields if name != "splits"]
    for key in sorted(config.captioner.splits, key=len):
        if split == key or (key in KINDS and split.startswith(f"{key}_")):
            override = config.captioner.splits[key]
            for name in override:
                if name not in known:
                    raise unknown("key", name, known, f"config: captioner.splits.{key}")
            section.update(override)
    return canonical_json(section)


def decoding(config: Config) -> DecodingOptions:
    """Options of decoding; where words are drawn, the seed is the run's unless one is given."""
    chosen = config.describe
    if chosen.strategy == "sample" and chosen.seed is None:
        return chosen.model_copy(update={"seed": config.seed})
    return chosen


def check_decoding(config: Config) -> None:
    """Refuse choices of decoding that need another strategy, or a language model."""
    strategy, mi = config.describe.strategy, config.describe.mi
    if mi and strategy in (None, "rerank"):
        raise UserError(
            "config: describe.mi: re-ranking already weighs whole descriptions by p(d); leave mi "
            "out, or choose describe.strategy beam, greedy or sample"
        )
    if not config.captioner.language_model and (mi or strategy == "rerank"):
        key = "mi" if mi else "strategy"
        raise UserError(
            f"config: describe.{key}: it needs p(d), and captioner.language_model is false; leave "
            "it out, or train the language model"
        )
