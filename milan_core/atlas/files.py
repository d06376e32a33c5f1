"""The files of one network that an atlas is made of, each with its role.

A role is the name of a field below, or `scores:JUDGE` for held-out scores by a judge, or
`said:DESCRIBER` for descriptions by one more describer (columns layer, unit, description).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from milan_core.atlas.options import AtlasNetwork
from milan_core.core.errors import UserError, unknown

SINGLE = (
    "exemplars",
    "dataset",
    "descriptions",
    "annotations",
    "truth",
    "accuracy",
    "activations",
    "candidates",
    "importance",
)
NEEDED = ("exemplars", "dataset", "descriptions")
SCORES, SAID = "scores:", "said:"


@dataclass(frozen=True)
class NetworkFiles:
    """One network: its name, and its files by role."""

    name: str
    dataset_name: str
    exemplars: Path
    dataset: Path  # folder of the probe images
    descriptions: Path
    annotations: Path | None = None
    truth: Path | None = None
    accuracy: Path | None = None
    activations: Path | None = None  # pooled values on the probe images
    candidates: Path | None = None  # ranking.csv of the pool, or beams.safetensors
    importance: Path | None = None  # accuracy lost without each unit
    scores: dict[str, Path] = field(default_factory=dict)  # by judge
    said: dict[str, Path] = field(default_factory=dict)  # by describer
    is_encoder: bool = False
    is_student: bool = False
    weight: float = 0.2  # lambda

    def roles(self) -> list[tuple[str, Path]]:
        """Every file with its role, in one order."""
        single = [(role, getattr(self, role)) for role in SINGLE]
        return [
            *((role, path) for role, path in single if path is not None),
            *((SCORES + judge, path) for judge, path in self.scores.items()),
            *((SAID + name, path) for name, path in self.said.items()),
        ]


def network_files(
    name: str, dataset_name: str, roles: Sequence[tuple[str, Path]], **facts: Any
) -> NetworkFiles:
    """The files of a network from pairs of role and path, with further facts of it.

    Raises:
        UserError: for a role that does not exist, or without one that every network needs.

    """
    single: dict[str, Path] = {}
    scores: dict[str, Path] = {}
    said: dict[str, Path] = {}
    for role, path in roles:
        if role.startswith(SCORES):
            scores[role.removeprefix(SCORES)] = path
        elif role.startswith(SAID):
            said[role.removeprefix(SAID)] = path
        elif role in SINGLE:
            single[role] = path
        else:
            raise unknown("role", role, [*SINGLE, SCORES, SAID], f"atlas: network {name!r}")
    if missing := [role for role in NEEDED if role not in single]:
        raise UserError(
            f"atlas: network {name!r} has no file of role {', '.join(missing)}; give one each"
        )
    values: dict[str, Any] = {**single, "scores": scores, "said": said, **facts}
    return NetworkFiles(name, dataset_name, **values)


def given_networks(networks: Sequence[AtlasNetwork], paths: Sequence[Path]) -> list[NetworkFiles]:
    """The files of each network, of one list with all of them in the order of the roles.

    Raises:
        UserError: for a list of another length.

    """
    wanted = sum(len(network.roles) for network in networks)
    if wanted != len(paths):
        raise UserError(
            f"atlas: --files has {len(paths)} paths, and the networks have {wanted} roles; give "
            "one path for each role, in this order"
        )
    rest, found = iter(paths), []
    for network in networks:
        roles = [(role, next(rest)) for role in network.roles]
        facts = network.model_dump(include={"is_encoder", "is_student", "weight"})
        found.append(network_files(network.name, network.dataset, roles, **facts))
    return found
