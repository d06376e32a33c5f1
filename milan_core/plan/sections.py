"""Which experiments a configuration asks for, as far as the report shows them."""

from __future__ import annotations

from milan_core.config import Config
from milan_core.describers.variant_plan import scored_variants
from milan_core.experiments.analyze.plan import analyzed
from milan_core.experiments.decoding.plan import studied
from milan_core.plan.splits import trials


def experiments(config: Config) -> list[str]:
    """Folders below `<results>` in which an experiment of this run leaves its `section.json`."""
    scored = any(name in config.corpus for name in config.models)
    asked = {
        "analyze": bool(analyzed(config)),
        "generalization": bool(trials(config)),
        "captioners": True,
        "baselines": scored,
        "rerank_study": bool(studied(config)),
        "variants": bool(scored_variants(config)),
        "audit": config.audit is not None,
        "edit": config.edit is not None,
    }
    return [name for name, wanted in asked.items() if wanted]
