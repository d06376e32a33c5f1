"""`milan audit`: units whose description answers a query, counted, compared and reviewed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from milan_core.cli.common import json_value, stage, verb
from milan_core.core.stages import code_version


def register(subparsers: Any) -> None:
    """Add the stage."""
    verbs = stage(subparsers, "audit", "units that answer a query, between twin networks")
    parser = verb(
        verbs,
        "count",
        "count matching units per layer and write the review sheet",
        "milan audit count --options @audit.json --descriptions A.csv B.csv --exemplars ..."
        " --datasets ... --out results/audit/counts.csv",
        _count,
    )
    _add_networks(parser)
    parser.add_argument("--out", type=Path, required=True, help="counts.csv")
    parser = verb(
        verbs,
        "recount",
        "count again from the answers of the review sheet",
        "milan audit recount --options @audit.json ... --units units.csv --review review.csv"
        " --out results/audit/recount.csv",
        _recount,
    )
    _add_networks(parser)
    parser.add_argument("--units", type=Path, required=True, help="units.csv of the count")
    parser.add_argument("--review", type=Path, required=True, help="answers, CSV or JSON")
    parser.add_argument("--out", type=Path, required=True, help="recount.csv")
    parser = verb(
        verbs,
        "section",
        "figure and sentences for the report",
        "milan audit section --options @audit.json --out results/audit/section.json",
        _section,
    )
    parser.add_argument("--options", type=json_value, required=True)
    parser.add_argument("--reviewed", action="store_true", help="there is a recount")
    parser.add_argument("--out", type=Path, required=True, help="section.json beside the tables")


def _add_networks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--options", type=json_value, required=True, help="networks and queries")
    for name in ("descriptions", "exemplars", "datasets"):
        parser.add_argument(f"--{name}", nargs="+", type=Path, required=True)
    parser.add_argument("--truth", nargs="*", type=Path, default=[], help="truth.csv files")
    parser.add_argument("--seed", type=int, default=0)


def _inputs(arguments: argparse.Namespace) -> list[Path]:
    names = ("descriptions", "exemplars", "truth", "datasets")
    return [path for name in names for path in getattr(arguments, name)]


def _count(arguments: argparse.Namespace) -> None:
    from milan_core.core import provenance
    from milan_core.experiments.audit.networks import run_audit

    with provenance.step(
        "audit_count",
        arguments.out.parent,
        inputs=_inputs(arguments),
        options=arguments.options,
        seed=arguments.seed,
        code=code_version("audit"),
    ):
        run_audit(arguments)


def _recount(arguments: argparse.Namespace) -> None:
    from milan_core.core import provenance
    from milan_core.experiments.audit.networks import run_recount

    with provenance.step(
        "audit_recount",
        arguments.out.parent,
        inputs=[*_inputs(arguments), arguments.units, arguments.review],
        options=arguments.options,
        code=code_version("audit"),
        filename="recount.provenance.json",
    ):
        run_recount(arguments, arguments.units, arguments.review)


def _section(arguments: argparse.Namespace) -> None:
    from milan_core.experiments.audit.section import write_audit_section

    write_audit_section(arguments.out.parent, arguments.options, arguments.reviewed)
