"""Section `edit`: networks that read spurious text, repaired by removing units (paper sec. 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milan_core.core.errors import UserError, unknown
from milan_core.core.options import Name, Section
from milan_core.experiments.audit.options import check_described
from milan_core.scoring.query_options import Query, choose_queries

if TYPE_CHECKING:
    from milan_core.config import Config


class Validation(Section):
    """Images on which the number of units is chosen; none of them is used for the result."""

    clean: Name = Field(description="Without the spurious cue")
    adversarial: Name = Field(description="With a wrong cue")


class Test(Section):
    """Images on which the result is measured; nothing is chosen on them."""

    clean: Name = Field(description="Without the spurious cue")
    correct: Name = Field(description="With the correct cue")
    adversarial: Name = Field(description="With a wrong cue")


class EditTrial(Section):
    """One trained network with the data sets of its experiment."""

    model: Name = Field(description="Network trained on images with the spurious cue")
    ranking: Name = Field(description="Images on which single units are ablated to rank them")
    validation: Validation = Field(description="Images that the number of units is chosen on")
    test: Test = Field(description="Images that the result is measured on")
    reference: Name | None = Field(
        None, description="The same network trained without the cue: what is there to be won"
    )

    ranking_text: Literal["wrong", "as_learnt"] = Field(
        "wrong",
        description="What the cue says on the ranking images: a wrong class, or what it says in "
        "the training images, as published; the report explains `all-sorted` by it",
    )
    group: Name | None = Field(
        None,
        description="Networks of one group differ by seeds alone: their results are averaged",
    )

    def datasets(self) -> dict[str, str]:
        """Data set of every split, by the split's name in the tables."""
        return {
            "ranking": self.ranking,
            "validation-clean": self.validation.clean,
            "validation-adversarial": self.validation.adversarial,
            "test-clean": self.test.clean,
            "test-correct": self.test.correct,
            "test-adversarial": self.test.adversarial,
        }


class FineTune(Section):
    """Training of the head after the ablation, the ablated units held at zero."""

    layers: list[str] = Field(
        min_length=1, description="Modules of the head; all others are frozen"
    )
    epochs: int = Field(3, ge=1, description="Passes over the network's training images")
    learning_rate: float = Field(1e-3, gt=0, description="AdamW learning rate")


class EditSpec(Section):
    """Ablation of the units that a query chooses by description, with controls."""

    trials: list[EditTrial] = Field(min_length=1, description="One entry per trained network")
    query: Name = Field("text", description="Query whose units are ablated")
    own_queries: dict[Name, Query] = Field({}, description="Queries beside the shipped ones")
    steps: list[int] = Field(
        [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48], description="Numbers of ablated units"
    )
    choose_on: Literal["validation", "test"] = Field(
        "validation",
        description="Images that the number of units is chosen on; test: where wrong text costs "
        "least on the test images themselves, as published",
    )
    draws: int = Field(5, ge=1, description="Draws of the random controls")
    fine_tune: FineTune | None = Field(None, description="Train the head after the ablation")
    bootstrap: int = Field(2000, ge=100, description="Resamples of the images for intervals")


def edit_networks(spec: EditSpec | None) -> list[str]:
    """Networks of the section that are edited."""
    return [trial.model for trial in spec.trials] if spec else []


def edit_references(spec: EditSpec | None) -> list[str]:
    """Networks of the section that are only evaluated."""
    return [t.reference for t in spec.trials if t.reference is not None] if spec else []


def check_edit(config: Config) -> None:
    """Refuse names that do not exist and splits that share images."""
    spec = config.edit
    if spec is None:
        return
    choose_queries([spec.query], spec.own_queries, "config: edit.query")
    if sorted(set(spec.steps)) != spec.steps or spec.steps[0] != 0:
        raise UserError(f"config: edit.steps: expected 0 first, then rising, got {spec.steps}")
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
        if spec.fine_tune and config.model_zoo[trial.model].weights.source != "train":
            raise UserError(f"{where}: fine_tune needs a network with `weights.source: train`")


def _check_reference(where: str, trial: EditTrial, config: Config) -> None:
    """The accuracies of a reference are read from its own training job."""
    if trial.reference is None:
        return
    weights = config.model_zoo[trial.reference].weights
    test = trial.test
    missing = {test.clean, test.correct, test.adversarial} - set(weights.tests)
    if weights.source != "train" or missing:
        raise UserError(
            f"{where}: reference {trial.reference!r} must be trained here (`source: train`) and "
            f"tested on the same images; add {', '.join(sorted(missing)) or 'them'} to its tests"
        )


def _check_apart(where: str, trial: EditTrial, config: Config) -> None:
    """Training, ranking, validation and test must not share scenes."""
    groups = {"ranking": [trial.ranking]}
    groups["validation"] = [trial.validation.clean, trial.validation.adversarial]
    groups["test"] = [trial.test.clean, trial.test.correct, trial.test.adversarial]
    learnt = config.model_zoo[trial.model].weights.dataset
    groups["training"] = [learnt] if learnt else []
    seen: dict[tuple[str, int] | str, str] = {}
    for group, names in groups.items():
        for name in names:
            spec = config.dataset_zoo[name]
            world = spec.kind in ("stickers", "shapes")
            other = seen.setdefault((spec.kind, spec.seed) if world else name, group)
            if other != group:
                raise UserError(
                    f"{where}: {name!r} serves {group} and shares its images with {other}; what is "
                    "chosen on some images must be tested on others"
                )
