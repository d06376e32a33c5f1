"""Plan of the report: its experiments."""

from __future__ import annotations

from milan_core.config import Config
from milan_core.describers.abstention.plan import measured
from milan_core.describers.plan import scored_variants
from milan_core.experiments.analyze.plan import analyzed
from milan_core.experiments.decoding.plan import studied
from milan_core.plan.splits import annotated, described, trials
from milan_core.referee import plan as referee
from milan_core.report.options import ReportRun


def report_run(config: Config) -> ReportRun:
    """The title, the notice, and what the report says of its scores."""
    return ReportRun(
        notice=config.notice,
        atlas="../atlas/index.html",
        sets=[name for name in described(config) if name in config.annotation_sets],
        scored=bool(trials(config)),
        judged=bool(annotated(config)),
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
