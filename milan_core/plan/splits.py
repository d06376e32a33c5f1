"""Which captioners are trained, and which networks each of them describes.

`within_X` learns from a share of the units of X and describes the others; `without_X` learns from
the corpus less X and describes X; `from_X` learns from X alone; `all` learns from the whole corpus
and serves every network that is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from milan_core.config import Config
from milan_core.plan.annotations import annotated_networks

KINDS = ("within", "without", "from")
WITHIN, HELD_OUT = "within-network", "leave-one-network-out"


@dataclass(frozen=True)
class Split:
    """Units a captioner learns from, and the networks whose units it is then scored on.

    `within` keeps a share of the single network's units for the test; otherwise whole networks are
    kept apart.
    """

    name: str
    train: tuple[str, ...]
    tests: tuple[str, ...] = ()
    within: bool = False


@dataclass(frozen=True)
class Trial:
    """One captioner of a split, scored on one network; `experiment` is its row of Table 3."""

    experiment: str
    split: str
    test: str
    seed: int


def pairs(config: Config) -> list[tuple[str, str, str]]:
    """(experiment, learnt from, described) of `generalization.across`, as far as configured.

    A pair whose described network is not among `models` is left out: an overlay may choose fewer.
    """
    return [
        (experiment, train, test)
        for experiment, found in config.generalization.across.items()
        for train, test in found
        if test in config.models
    ]


def annotated(config: Config) -> list[str]:
    """Networks that need annotations: the corpus, and both sides of every pair."""
    named = [name for _, train, test in pairs(config) for name in (train, test) if name != "all"]
    return list(dict.fromkeys([*annotated_networks(config), *named]))


def described(config: Config) -> list[str]:
    """Networks that are described and have annotations to be scored against."""
    known = annotated(config)
    return [name for name in config.models if name in known]


def primary_split(config: Config, model: str) -> str:
    """The split whose captioner never saw `model`."""
    return f"without_{model}" if model in config.corpus else "all"


def splits(config: Config) -> dict[str, Split]:
    """All splits of a configuration by name."""
    across = pairs(config)
    unseen = tuple(test for _, train, test in across if train == "all")
    found = {"all": Split("all", tuple(config.corpus), tuple(dict.fromkeys(unseen)))}
    for model in described(config):
        if model in config.corpus:
            rest = tuple(name for name in config.corpus if name != model)
            found[f"without_{model}"] = Split(f"without_{model}", rest, (model,))
        found[f"within_{model}"] = Split(f"within_{model}", (model,), (model,), within=True)
    for source in dict.fromkeys(train for _, train, _ in across if train != "all"):
        tests = dict.fromkeys(test for _, train, test in across if train == source)
        found[f"from_{source}"] = Split(f"from_{source}", (source,), tuple(tests))
    return found


def seeds(config: Config, split: str) -> list[int]:
    """Trials of one split; `all` serves users and has as many as it is scored with."""
    general = config.generalization
    if split == "all" and not splits(config)["all"].tests:
        return general.seeds[:1]
    return sorted({*general.seeds, *general.more_seeds.get(split, [])})


def trials(config: Config) -> list[Trial]:
    """Everything that is scored."""
    found = [
        Trial(WITHIN if split.within else HELD_OUT, split.name, test, seed)
        for split in splits(config).values()
        if split.name.startswith(("within_", "without_"))
        for test in split.tests
        for seed in seeds(config, split.name)
    ]
    for experiment, train, test in pairs(config):
        split = "all" if train == "all" else f"from_{train}"
        found += [Trial(experiment, split, test, seed) for seed in seeds(config, split)]
    return found
