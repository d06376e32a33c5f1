"""Section `audit`: which networks are searched for units that match a query (paper section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from milan_core.core.errors import UserError, unknown
from milan_core.core.options import Name, Section
from milan_core.scoring.query_options import Query, choose_queries

if TYPE_CHECKING:
    from milan_core.config import Config


class Pair(Section):
    """Two networks that differ in one thing, such as training images with faces blurred."""

    name: Name = Field(description="Name of the pair in tables and figures")
    original: Name = Field(description="Network trained on the images as they are")
    changed: Name = Field(description="Its twin, trained on the changed images")


class AuditSpec(Section):
    """Counts of units whose description matches a query, with a review sheet for people."""

    pairs: list[Pair] = Field([], description="Networks to compare; paper figure 5")
    models: list[Name] = Field([], description="Networks to audit without a twin")
    queries: list[Name] = Field(["faces"], min_length=1, description="Names of queries")
    own_queries: dict[Name, Query] = Field({}, description="Queries beside the shipped ones")
    review: str | None = Field(
        None, description="Answers saved by the review sheet (CSV or JSON), to count again from"
    )
    detector: bool = Field(True, description="Run detectors as a second opinion, labelled as such")


def audit_networks(spec: AuditSpec | None) -> list[str]:
    """Networks of the section without repetition, pairs first."""
    if spec is None:
        return []
    paired = [name for pair in spec.pairs for name in (pair.original, pair.changed)]
    return list(dict.fromkeys([*paired, *spec.models]))


def check_audit(config: Config) -> None:
    """Refuse names that do not exist and pairs that cannot be compared."""
    spec = config.audit
    if spec is None:
        return
    names = audit_networks(spec)
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
