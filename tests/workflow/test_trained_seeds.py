"""A run with further seeds reads what a finished run has trained with the first one."""

from pathlib import Path

import pytest

from milan_core.captioner.options import CAPTIONER_FILES
from milan_core.captioner.plan import captioner_settings, training_split, trainings
from milan_core.cli.config import load
from milan_core.config import Config
from milan_core.core.options import plain
from milan_core.core.recording import write_record
from milan_core.core.records import NAME
from milan_core.networks.options import TrainWeights
from milan_core.networks.plan import trained, training_seed
from milan_core.plan.checks import parse_config
from milan_core.plan.splits import splits

from .conftest import QUICK, snakemake
from .plans import job_counts

FILES = ("annotations/annotations.csv", "annotations/truth.csv", "features/features.safetensors")


def finished(config: Config, results: Path) -> None:
    """Empty files of a run that trained everything, with the records that a plan compares."""
    for name, entry in config.model_zoo.items():
        _touch(results / name, (*FILES, "exemplars/exemplars.safetensors"))
        if isinstance(entry.weights, TrainWeights):
            _touch(results / name / "target", ("weights.safetensors",))
            options = {
                "training": plain(trained(config, name)),
                "seed": training_seed(config, name),
                "model": plain(entry),
            }
            _record(results / name / "target", "networks.train", options)
    for one in trainings(config):
        folder = results / "captioners" / one.split / f"seed{one.seed}"
        _touch(folder, (*CAPTIONER_FILES, "units.csv"))
        options = {
            "split": plain(training_split(config, one.split)),
            "options": plain(captioner_settings(config, one.split)),
            "seed": one.seed,
        }
        _record(folder, "captioner.train", options)


def _touch(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def _record(folder: Path, step: str, options: dict[str, object]) -> None:
    write_record(folder / NAME, step, {}, [folder], options, "", {})


@pytest.mark.workflow
def test_no_captioner_and_no_network_is_trained_twice(checkout):
    config = parse_config(load([checkout / "config/config.yaml", checkout / "config/quick.yaml"]))
    finished(config, checkout / "results/finished")
    changes = (
        "trained=results/finished",
        "generalization={seeds: [0, 1]}",
        "pathvars={results: results/further}",
    )
    result = snakemake(checkout, "-n", *QUICK, "--config", *changes, "--", "generalization")
    planned = job_counts(result.stdout)
    assert planned["captioner_train"] == len(splits(config)), result.stdout[-3000:]
    assert planned["describers_units"] == planned["generalization_score"]
    assert "networks_train" not in planned
