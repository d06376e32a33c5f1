"""Which captioners are trained, and which networks each of them describes.

`within_X` learns from a share of the units of X and describes the others; `without_X` learns from
the corpus less X and describes X, of which `unmasked_X` sees whole images and `matched_X` learns
from as many units as `within_X` (`generalization.controls`); `from_X` learns from X alone, a
network, a set or a group of sets; `all` learns from the whole corpus and serves everything that is
not in it.

An annotation set stands for the network whose units it holds: it is learned from, described and
scored like one, from its own exemplars against its own annotations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from milan_core.annotations.plan import annotated_networks, networks, side_members
from milan_core.config import Config
from milan_core.experiments.generalization.options import CONTROLS, HELD_OUT, WITHIN, TrialFacts

KINDS = ("within", "without", "from", *CONTROLS)


@dataclass(frozen=True)
class Split:
    """Units a captioner learns from, and the networks whose units it is then scored on.

    `within` keeps a share of the single network's units for the test; otherwise whole networks are
    kept apart. `masking` names the features that are read, and `like` another split whose number of
    training units is taken.
    """

    name: str
    train: tuple[str, ...]
    tests: tuple[str, ...] = ()
    within: bool = False
    masking: Literal["exact", "whole"] = "exact"
    like: str = ""


@dataclass(frozen=True)
class Pair:
    """One entry of `generalization.across`: its sides as configured, and their members."""

    experiment: str
    train_side: str
    test_side: str
    train: tuple[str, ...]
    tests: tuple[str, ...]

    @property
    def split(self) -> str:
        """The split whose captioner describes the tests."""
        if self.train_side == "all":
            return "all"
        return f"from_{re.sub(r'[^a-z0-9_]', '_', self.train_side)}"


def pairs(config: Config) -> list[Pair]:
    """The pairs of `generalization.across`, as far as configured.

    Described networks that are not among `models` are left out: an overlay may choose fewer.
    """
    sides = []
    for experiment, entries in config.generalization.across.items():
        for train_side, test_side in entries:
            where = f"config: generalization.across.{experiment}"
            members = side_members(config, test_side, where)
            if tests := tuple(name for name in members if name in config.models):
                train = side_members(config, train_side, where)
                sides.append(Pair(experiment, train_side, test_side, train, tests))
    return sides


def annotated(config: Config) -> list[str]:
    """Networks that are annotated here: those of the corpus, and of both sides of every pair."""
    named = [
        name
        for pair in pairs(config)
        for name in (*(pair.train if pair.train_side != "all" else ()), *pair.tests)
        if name in config.model_zoo
    ]
    return list(dict.fromkeys([*annotated_networks(config), *named]))


def annotation_sets(config: Config) -> list[str]:
    """Annotation sets that are learned from or described."""
    learnt = [name for split in splits(config).values() for name in split.train]
    names = dict.fromkeys([*config.corpus, *config.models, *learnt])
    return [name for name in names if name in config.annotation_sets]


def judged(config: Config) -> list[str]:
    """Described networks whose concepts are known; those of annotation sets are not."""
    known = annotated(config)
    return [name for name in networks(config) if name in known]


def described(config: Config) -> list[str]:
    """Networks and sets that are described and have annotations to be scored against."""
    known = {*annotated(config), *config.annotation_sets}
    return [name for name in config.models if name in known]


def primary_split(config: Config, model: str) -> str:
    """The split whose captioner never saw `model`."""
    return f"without_{model}" if model in config.corpus else "all"


def splits(config: Config) -> dict[str, Split]:
    """All splits of a configuration by name."""
    across = pairs(config)
    unseen = [name for pair in across if pair.split == "all" for name in pair.tests]
    by_name = {"all": Split("all", tuple(config.corpus), tuple(dict.fromkeys(unseen)))}
    for model in described(config):
        if model in config.corpus:
            rest = tuple(name for name in config.corpus if name != model)
            by_name[f"without_{model}"] = Split(f"without_{model}", rest, (model,))
            for kind in config.generalization.controls:
                by_name[f"{kind}_{model}"] = _control(kind, model, rest)
        by_name[f"within_{model}"] = Split(f"within_{model}", (model,), (model,), within=True)
    for pair in across:
        if pair.split != "all":
            known = by_name.get(pair.split, Split(pair.split, pair.train)).tests
            tests = tuple(dict.fromkeys([*known, *pair.tests]))
            by_name[pair.split] = Split(pair.split, pair.train, tests)
    return by_name


def _control(kind: str, model: str, rest: tuple[str, ...]) -> Split:
    """A further captioner that never saw `model`."""
    if kind == "unmasked":
        return Split(f"{kind}_{model}", rest, (model,), masking="whole")
    return Split(f"{kind}_{model}", rest, (model,), like=f"within_{model}")


def possible_splits(config: Config) -> set[str]:
    """Splits that some choice of `models` would have: overlays may choose fewer."""
    names = [*config.model_zoo, *config.annotation_sets]
    return {"all", *(f"{kind}_{name}" for name in names for kind in KINDS), *splits(config)}


def seeds(config: Config, split: str) -> list[int]:
    """Trials of one split; `all` serves users and has as many as it is scored with."""
    general = config.generalization
    if split == "all" and not splits(config)["all"].tests:
        return general.seeds[:1]
    return sorted({*general.seeds, *general.more_seeds.get(split, [])})


def trials(config: Config) -> list[TrialFacts]:
    """Every captioner of a split with every network that it is scored on."""
    by_name = splits(config)

    def of_seeds(
        experiment: str, split: str, test: str, sides: tuple[str, str]
    ) -> list[TrialFacts]:
        return [
            TrialFacts(
                experiment=experiment,
                split=split,
                train=list(by_name[split].train),
                test=test,
                seed=seed,
                train_side=sides[0],
                test_side=sides[1],
                primary=split == primary_split(config, test),
            )
            for seed in seeds(config, split)
        ]

    rows = []
    for split in by_name.values():
        kind = split.name.partition("_")[0]
        if experiment := {"within": WITHIN, "without": HELD_OUT, **CONTROLS}.get(kind):
            for test in split.tests:
                sides = (test if split.within else f"all but {test}", test)
                rows += of_seeds(experiment, split.name, test, sides)
    for pair in pairs(config):
        for test in pair.tests:
            sides = (pair.train_side, pair.test_side)
            rows += of_seeds(pair.experiment, pair.split, test, sides)
    return rows
