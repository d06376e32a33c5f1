"""Parameters of the jobs that train captioners and describe with them.

Keys that came later are left out where they have their default, so that jobs of configurations
without them are the same as before.
"""

from __future__ import annotations

from milan_core.captioner.options import CaptionerSpec
from milan_core.config import Config
from milan_core.core.errors import unknown
from milan_core.core.files import canonical_json
from milan_core.plan.splits import KINDS

_LATER_SETTINGS = {"attention", "language_model", "lm_layers", "attention_weight", "length"}
_LATER_DECODING = {"strategy", "mi", "precision"}


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


def describe_params(config: Config) -> str:
    """The canonical JSON of decoding; the seed is named only where words are drawn."""
    section = config.describe.model_dump(exclude=_LATER_DECODING)
    section |= config.describe.model_dump(include=_LATER_DECODING, exclude_defaults=True)
    seed = {"seed": config.seed} if config.describe.strategy == "sample" else {}
    return canonical_json({**section, **seed})
