"""Plan of the report: its networks and experiments."""

from __future__ import annotations

from milan_core.annotations.plan import networks
from milan_core.config import Config
from milan_core.describers.abstention.plan import measured
from milan_core.describers.plan import scored_variants
from milan_core.experiments.analyze.plan import analyzed
from milan_core.experiments.decoding.plan import studied
from milan_core.plan.splits import annotated, described, trials
from milan_core.referee import plan as referee
from milan_core.report.options import ReportNetwork, ReportRun


def report_run(config: Config) -> ReportRun:
    """The title, the notice and the networks of the report, these by name."""
    return ReportRun(
        notice=config.notice,
        networks=[report_network(config, name) for name in sorted(networks(config))],
        sets=[name for name in described(config) if name in config.annotation_sets],
        scored=bool(trials(config)),
    )


def report_network(config: Config, name: str) -> ReportNetwork:
    """The facts of one network that the report cannot read in its files."""
    spec = config.model_zoo[name]
    return ReportNetwork(
        name=name,
        dataset=spec.dataset,
        is_encoder=name == config.encoder.model,
        is_student=getattr(spec.training, "teacher", None) == config.encoder.model,
        annotated=name in annotated(config),
        trained=spec.training is not None,
    )


def experiments(config: Config) -> list[str]:
    """Folders below `<results>` in which an experiment of this run leaves its `section.json`."""
    scored = any(name in config.corpus for name in config.models)
    asked = {
        "analyze": bool(analyzed(config)),
        "generalization": bool(trials(config)),
        "captioners": True,
        "baselines": scored,
        "referee": bool(referee.scored(config)),
        "abstention": bool(measured(config)),
        "controls": bool(trials(config)),
        "decoding": bool(studied(config)),
        "variants": bool(scored_variants(config)),
        "audit": config.audit is not None,
        "edit": config.edit is not None,
    }
    return [name for name, wanted in asked.items() if wanted]
