"""The files that a report is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from milan_core.core.errors import UserError
from milan_core.report.options import ReportNetwork, ReportRun


@dataclass(frozen=True)
class NetworkFiles:
    """One network of the report: its facts and its files."""

    facts: ReportNetwork
    exemplars: Path
    dataset: Path  # folder of the probe images
    descriptions: Path
    annotations: Path | None = None
    truth: Path | None = None
    accuracy: Path | None = None


@dataclass(frozen=True)
class ReportFiles:
    """Networks in the order of the pages, sections, and the records of this run."""

    networks: Sequence[NetworkFiles]
    sections: Sequence[Path] = ()
    section_files: Sequence[Path] = ()  # tables, figures and pages that the sections name
    records: Sequence[Path] = ()  # provenance records, or folders that hold one
    assets: Sequence[Path] = ()  # folders of data packages


def network_files(
    run: ReportRun,
    exemplars: Sequence[Path],
    datasets: Sequence[Path],
    descriptions: Sequence[Path],
    annotations: Sequence[Path],
    truth: Sequence[Path],
    accuracy: Sequence[Path],
) -> list[NetworkFiles]:
    """The files of each network of `run`.

    The first three sequences have one path a network, the others one for each network that is
    annotated or trained, all in the order of `run.networks`. Raises `UserError` for a sequence of
    another length.
    """
    annotated = [network.name for network in run.networks if network.annotated]
    trained = [network.name for network in run.networks if network.trained]
    everyone = [network.name for network in run.networks]
    by_name = {
        "exemplars": _by_name("exemplars", everyone, exemplars),
        "dataset": _by_name("datasets", everyone, datasets),
        "descriptions": _by_name("descriptions", everyone, descriptions),
        "annotations": _by_name("annotations", annotated, annotations),
        "truth": _by_name("truth", annotated, truth),
        "accuracy": _by_name("accuracy", trained, accuracy),
    }
    return [
        NetworkFiles(
            network,
            **{key: paths[network.name] for key, paths in by_name.items() if network.name in paths},
        )
        for network in run.networks
    ]


def _by_name(flag: str, names: Sequence[str], paths: Sequence[Path]) -> dict[str, Path]:
    if len(names) != len(paths):
        raise UserError(
            f"report: --{flag} has {len(paths)} paths for {len(names)} networks "
            f"({', '.join(names)}); give one path for each, in this order"
        )
    return dict(zip(names, paths, strict=True))
