"""The inputs and arguments of the editing of a network, and its needs of other sections."""

from __future__ import annotations

from milan_core.config import Config
from milan_core.core.errors import UserError, unknown
from milan_core.core.options import narrowed
from milan_core.experiments.audit.plan import check_described
from milan_core.experiments.edit.options import EditOptions, EditTrial
from milan_core.images.kinds.composed import Composed
from milan_core.scoring.options import Query
from milan_core.scoring.queries import choose_queries


def edited(config: Config) -> list[str]:
    """Networks that are edited."""
    return [trial.model for trial in config.edit.trials] if config.edit else []


def references(config: Config) -> list[str]:
    """Networks that edited ones are compared with; they are trained, not described."""
    trials = config.edit.trials if config.edit else []
    return [trial.reference for trial in trials if trial.reference is not None]


def edit_trial(config: Config, model: str) -> EditTrial:
    """The trial of one edited network."""
    for trial in config.edit.trials if config.edit else []:
        if trial.model == model:
            return trial
    raise unknown("edited network", model, edited(config), "config: edit.trials")


def edit_options(config: Config) -> EditOptions:
    """The options that all networks share."""
    assert config.edit is not None
    return narrowed(config.edit, EditOptions)


def edit_query(config: Config) -> Query:
    """The query whose units are ablated."""
    assert config.edit is not None
    name = config.edit.query
    return choose_queries([name], config.edit.own_queries, "config: edit.query")[name]


def check_edit(config: Config) -> None:
    """Refuse names that do not exist and splits that share images."""
    spec = config.edit
    if spec is None:
        return
    edit_query(config)
    for trial in spec.trials:
        where = f"config: edit.trials: {trial.model}"
        for name in filter(None, [trial.model, trial.reference]):
            if name not in config.model_zoo:
                raise unknown("model", name, config.model_zoo, where)
        check_described("edit", trial.model, config)
        for name in trial.datasets().values():
            if name not in config.dataset_zoo:
                raise unknown("data set", name, config.dataset_zoo, where)
        _check_apart(where, trial, config)
        _check_reference(where, trial, config)
        if spec.fine_tune and config.model_zoo[trial.model].training is None:
            raise UserError(f"{where}: fine_tune needs a network with `weights.source: train`")


def _check_reference(where: str, trial: EditTrial, config: Config) -> None:
    """The accuracies of a reference are read from its own training job."""
    if trial.reference is None:
        return
    training = config.model_zoo[trial.reference].training
    test = trial.test
    missing = {test.clean, test.correct, test.adversarial} - set(training.tests if training else [])
    if missing:
        raise UserError(
            f"{where}: reference {trial.reference!r} must be trained here (`source: train`) and "
            f"tested on the same images; add {', '.join(sorted(missing)) or 'them'} to its tests"
        )


def _check_apart(where: str, trial: EditTrial, config: Config) -> None:
    """Training, ranking, validation and test must not share scenes."""
    groups = {"ranking": [trial.ranking]}
    groups["validation"] = [trial.validation.clean, trial.validation.adversarial]
    groups["test"] = [trial.test.clean, trial.test.correct, trial.test.adversarial]
    training = config.model_zoo[trial.model].training
    groups["training"] = [training.dataset] if training else []
    seen: dict[tuple[str, int] | str, str] = {}
    for group, names in groups.items():
        for name in names:
            spec = config.dataset_zoo[name]
            scenes = (spec.kind, spec.seed) if isinstance(spec, Composed) else name
            other = seen.setdefault(scenes, group)
            if other != group:
                raise UserError(
                    f"{where}: {name!r} serves {group} and shares its images with {other}; what is "
                    "chosen on some images must be tested on others"
                )
