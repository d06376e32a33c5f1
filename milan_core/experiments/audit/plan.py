"""What the audit waits for and is given."""

from __future__ import annotations

from milan_core.config import Config
from milan_core.core.files import canonical_json
from milan_core.experiments.audit.options import audit_networks
from milan_core.scoring.query_options import choose_queries

WORLDS = ("stickers", "shapes")


def audited(config: Config) -> list[str]:
    """Networks that are audited."""
    return audit_networks(config.audit)


def has_truth(config: Config, model: str) -> bool:
    """Whether the probe images of a network have ground truth."""
    return config.dataset_zoo[config.model_zoo[model].dataset].kind in WORLDS


def audit_params(config: Config) -> str:
    """The canonical JSON of what the audit is asked."""
    spec = config.audit
    if spec is None:
        return "null"
    queries = choose_queries(spec.queries, spec.own_queries, "config: audit.queries")
    return canonical_json(
        {
            "pairs": [pair.model_dump() for pair in spec.pairs],
            "models": [
                {
                    "name": name,
                    "dataset": config.model_zoo[name].dataset,
                    "known": has_truth(config, name),
                }
                for name in audited(config)
            ],
            "queries": {name: query.model_dump() for name, query in queries.items()},
            "detector": spec.detector,
        }
    )
