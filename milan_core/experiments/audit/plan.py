"""Plan of the audit: networks, options and checks."""

from __future__ import annotations

from milan_core.config import Config
from milan_core.core.errors import UserError, unknown
from milan_core.experiments.audit.options import AuditedNetwork, AuditOptions
from milan_core.scoring.queries import choose_queries


def audited(config: Config) -> list[str]:
    """Audited networks without repetition, those of pairs first."""
    spec = config.audit
    if spec is None:
        return []
    paired = [name for pair in spec.pairs for name in (pair.original, pair.changed)]
    return list(dict.fromkeys([*paired, *spec.models]))


def has_truth(config: Config, model: str) -> bool:
    """Whether the probe images of a network have ground truth."""
    return config.dataset_zoo[config.model_zoo[model].dataset].has_truth


def audit_options(config: Config) -> AuditOptions:
    """The arguments of the audit's jobs."""
    spec = config.audit
    assert spec is not None
    networks = [
        AuditedNetwork(
            name=name, dataset=config.model_zoo[name].dataset, has_truth=has_truth(config, name)
        )
        for name in audited(config)
    ]
    queries = choose_queries(spec.queries, spec.own_queries, "config: audit.queries")
    return AuditOptions(
        pairs=spec.pairs, networks=networks, queries=queries, detector=spec.detector
    )


def check_audit(config: Config) -> None:
    """Refuse names that do not exist and pairs that cannot be compared."""
    spec = config.audit
    if spec is None:
        return
    names = audited(config)
    if not names:
        raise UserError(
            "config: audit: no network to audit; list some in audit.pairs or audit.models, or set "
            "audit to null"
        )
    for name in names:
        if name not in config.model_zoo:
            raise unknown("model", name, config.model_zoo, "config: audit")
        check_described("audit", name, config)
    for pair in spec.pairs:
        probes = [config.model_zoo[name].dataset for name in (pair.original, pair.changed)]
        if probes[0] != probes[1]:
            raise UserError(
                f"config: audit.pairs: {pair.name!r} compares networks probed with different "
                f"images, {probes[0]!r} and {probes[1]!r}; give both one `dataset`"
            )
    if twice := sorted(
        {p.name for p in spec.pairs if [q.name for q in spec.pairs].count(p.name) > 1}
    ):
        raise UserError(f"config: audit.pairs: two pairs are called {twice[0]!r}; rename one")
    choose_queries(spec.queries, spec.own_queries, "config: audit.queries")


def check_described(section: str, name: str, config: Config) -> None:
    """A network of the corpus needs the captioner that never saw it, so `models` must have it."""
    if name in config.corpus and name not in config.models:
        raise UserError(
            f"config: {section}: {name!r} is in corpus, so its description needs the captioner "
            "that never saw it; list it in models too"
        )
