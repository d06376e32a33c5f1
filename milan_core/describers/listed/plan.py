"""The jobs of the list of further describers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from milan_core.annotations.plan import networks
from milan_core.config import Config
from milan_core.core.contents import files_digest
from milan_core.core.errors import UserError, unknown
from milan_core.core.inputs import contents_of
from milan_core.core.options import parse
from milan_core.core.user_files import closure, module_file
from milan_core.describers import options as declarations
from milan_core.describers.declared_options import DescriberOptions, Need
from milan_core.describers.label_options import LabelMethod
from milan_core.describers.listed.options import ListedDescriber

MAIN = ("milan", "pool")
"""Describers of the whole run: `describe.describer` chooses between them."""
ELSEWHERE: dict[Need, str] = {
    "activations": "baselines.methods",
    "concepts": "baselines.methods",
    "clip": "baselines.methods",
}
"""Sections that run describers of other needs."""


def described_by(config: Config, name: str) -> list[str]:
    """Networks of this run that a listed describer describes."""
    chosen = config.describers[name].models or networks(config)
    return [model for model in chosen if model in config.models]


def listed_of(config: Config, model: str) -> list[str]:
    """Listed describers of a network."""
    return [name for name in config.describers if model in described_by(config, name)]


def listed_pairs(config: Config) -> list[tuple[str, str]]:
    """Every (network, describer)."""
    return [(model, name) for name in config.describers for model in described_by(config, name)]


def listed_tables(config: Config, model: str) -> dict[str, str]:
    """Descriptions of a network by listed describers: files below `<results>`."""
    return {name: f"{model}/listed/{name}/descriptions.csv" for name in listed_of(config, model)}


def declared_of(spec: ListedDescriber) -> DescriberOptions | None:
    """The options of a built-in describer; None of one of the user's, whose code is not run."""
    if ":" in spec.describer:
        return None
    known = {
        item.describer_name(): item
        for item in vars(declarations).values()
        if isinstance(item, type)
        and issubclass(item, DescriberOptions)
        and "describer" in item.__annotations__
    }
    if spec.describer not in known:
        raise unknown("describer", spec.describer, known)
    return parse(known[spec.describer], spec.options, f"options of describer {spec.describer!r}")


def roots_of(spec: ListedDescriber) -> list[str]:
    """Modules of the package that are part of its code; one of the user's counts by content."""
    return [] if ":" in spec.describer else [f"describers.{spec.describer}"]


def reads_judge(config: Config, name: str) -> bool:
    """Whether it gets the judge that is trained here, so that this does not score it."""
    spec = config.describers[name]
    declared = declared_of(spec)
    return spec.judge if declared is None else declared.reads_judge


def reads_captioner(config: Config, name: str) -> bool:
    """Whether it gets the captioner whose descriptions are published; an own one does."""
    declared = declared_of(config.describers[name])
    return declared is None or declared.reads_captioner


def reads_table(config: Config) -> bool:
    """Whether mining keeps pooled activations, for those that read them."""
    return bool(config.exemplars.table)


def contents_of_listed(spec: ListedDescriber) -> Iterator[str]:
    """Digests of the files that it reads: those of its options, and an own describer's code."""
    declared = declared_of(spec)
    if declared is not None:
        yield from contents_of(declared)
        return
    source = spec.describer.rpartition(":")[0]
    file = Path(source).expanduser() if source.endswith(".py") else module_file(source)
    yield closure([file] if file is not None and file.is_file() else []).digest()
    named = [Path(text) for text in spec.options.values() if isinstance(text, str) and text]
    yield files_digest((place, place) for place in named if place.is_file())


def check_listed(config: Config) -> None:
    """Refuse names that are taken, describers that do not exist, and needs that no job fills."""
    taken = {*MAIN, "linear", "pool_answered", *config.variants, *get_args(LabelMethod)}
    for name, spec in config.describers.items():
        where = f"config: describers.{name}"
        if name in taken:
            raise UserError(f"{where}: {name!r} is another describer of the run; call it otherwise")
        for model in spec.models:
            if model not in config.model_zoo:
                raise unknown("model", model, config.model_zoo, f"{where}.models")
        source = spec.describer.rpartition(":")[0]
        if source.endswith(".py") and not Path(source).expanduser().is_file():
            raise UserError(f"{where}.describer: no file {source!r}; correct the path")
        _check_needs(config, name, where)


def _check_needs(config: Config, name: str, where: str) -> None:
    spec = config.describers[name]
    declared = declared_of(spec)
    if spec.describer in MAIN:
        raise UserError(
            f"{where}: {spec.describer!r} describes every network already; describe.describer "
            "chooses whose texts are shown"
        )
    if reads_judge(config, name) and not any(one.kind == "mini" for one in config.referee.judges):
        raise UserError(f"{where}: it reads a judge, and this run trains none (referee.judges)")
    if declared is None:
        return
    for need, section in ELSEWHERE.items():
        if need in declared.needs:
            raise UserError(f"{where}: {spec.describer!r} is run by {section}; name it there")
    for need, pool in (("maxima", "max"), ("means", "mean")):
        if need in declared.needs and pool not in config.exemplars.table:
            raise UserError(
                f"{where}: {spec.describer!r} reads the {pool} of every unit in every image; add "
                f"{pool} to exemplars.table"
            )
