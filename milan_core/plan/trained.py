"""Networks, captioners and the judge that another run trained and this run reads: key `trained`.

A run of one's own has its own `<results>`. What it would train with the same options as another
run is read from there; what that run lacks is trained here. No rule writes in that folder, and what
was trained with other options, code or data sets is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from milan_core.annotations.plan import networks
from milan_core.captioner.options import TrainedOn
from milan_core.captioner.plan import (
    captioner_settings,
    published_training,
    training_split,
    trainings,
)
from milan_core.config import Config
from milan_core.core.errors import UserError
from milan_core.core.inputs import reads_file
from milan_core.core.options import plain
from milan_core.core.records import NAME, read_record
from milan_core.exemplars.splits import HALVES
from milan_core.experiments.audit.plan import audited
from milan_core.experiments.edit.plan import edited
from milan_core.images.kinds.generated import Generated
from milan_core.networks.plan import trained, trained_folder, training_seed
from milan_core.networks.version import portable_source
from milan_core.plan.needed import needed_models
from milan_core.referee.options import MiniOptions
from milan_core.referee.plan import judge_folder, mini_judge, mini_training

FACTS = ("source", "data set")
"""Of the record of a training beside its options; records of earlier releases have none."""
HARMLESS = ("on_error", "expect")
"""Options of data sets that end a build or do not, and change no image of one that was made."""


def captioner_folder(config: Config, training: TrainedOn) -> str:
    """The folder of one captioner: of the other run where it is there, else of this one."""
    place = f"captioners/{training.split}/seed{training.seed}"
    return trained_folder(config, place, "config.json")


def training_file(config: Config, split: str, name: str, kind: str) -> str:
    """A file of a network that a split learns from: of the run that its captioner comes from."""
    folder = captioner_folder(config, published_training(config, split))
    if config.trained and folder.startswith(f"{config.trained}/captioners/"):
        place, _, file = f"{name}/{kind}".rpartition("/")
        return f"{trained_folder(config, place, file)}/{file}"
    return f"{config.pathvars.results}/{name}/{kind}"


def mined_models(config: Config) -> list[str]:
    """Networks that are mined here: without the corpus where all captioners come from elsewhere."""
    place = f"{config.pathvars.results}/"
    trained_here = any(
        captioner_folder(config, one).startswith(f"{place}captioners/") for one in trainings(config)
    )
    if config.trained is None or trained_here:
        return needed_models(config)
    return sorted({*networks(config), *audited(config), *edited(config)})


def check_trained(config: Config, models: list[str], captioners: list[TrainedOn]) -> None:
    """Refuse a folder without results, and what was trained there with other options.

    Args:
        config: the whole configuration.
        models: trained networks that this run reads.
        captioners: those that it reads.

    """
    if config.trained is None:
        return
    if not Path(config.trained).is_dir():
        raise UserError(
            f"config: trained: no folder {config.trained!r}; give the results folder of a finished "
            "run, or leave it out to train here"
        )
    for name in models:
        folder = trained_folder(config, f"{name}/target", "weights.safetensors")
        wanted = {"training": plain(trained(config, name)), "seed": training_seed(config, name)}
        architecture = plain(config.model_zoo[name])
        wanted["model"] = {key: architecture[key] for key in ("factory", "kwargs", "input")}
        wanted["source"] = portable_source(config.model_zoo[name])
        wanted["data set"] = _images(config, trained(config, name).dataset)
        _compare(config, folder, wanted, f"model_zoo.{name}, its code and its data set")
    for one in captioners:
        wanted = {
            "split": plain(training_split(config, one.split)),
            "options": plain(captioner_settings(config, one.split)),
            "seed": one.seed,
        }
        _compare(config, captioner_folder(config, one), wanted, "captioner, corpus and seed")
        _compare_half(config, one)
    if (judge := mini_judge(config)) is not None:
        _compare(config, judge_folder(config), _judge(config, judge), "referee.judges and seed")


def _images(config: Config, name: str) -> dict[str, Any]:
    """What decides a data set, as records of trainings have it, wherever its files lie."""
    entry = config.dataset_zoo[name]
    drawn = {"model": entry.generator} if entry.generator else {}
    if isinstance(entry, Generated):
        scenes = plain(config.dataset_zoo[entry.scenes])
        seed = {"seed": scenes["seed"]} if "seed" in scenes else {}
        return {"kind": entry.kind, "options": {"scenes": entry.scenes}, **seed, **drawn}
    kinds = {
        key: Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
        for key, info in type(entry.options).model_fields.items()
    }
    given = plain(entry.options)
    own = {
        key: given.get(key)  # some are left out where they are null
        for key, kind in kinds.items()
        if key not in HARMLESS and not reads_file(kind)
    }
    return {"seed": entry.seed, "kind": entry.kind, "options": own, **drawn}


def _compare_half(config: Config, training: TrainedOn) -> None:
    """Refuse captioners that learned from the half of the probe images that this run mines."""
    half, trained = config.exemplars.half, config.trained
    if half == "all" or not captioner_folder(config, training).startswith(f"{trained}/captioners/"):
        return
    for name in training_split(config, training.split).train:
        records = sorted(Path(f"{trained}/{name}/exemplars/shards").glob("*.provenance.json"))
        for record in records[:1]:
            held_out = read_record(record)["options"]["options"]["heldout"]
            if held_out not in HALVES.values() or held_out == HALVES[half]:
                learned = "the same half" if held_out == HALVES[half] else "all"
                raise UserError(
                    f"config: exemplars.half: captioners of {trained} learned from {learned} of "
                    f"the probe images of {name!r}, and this run mines the {half} half; give a run "
                    "of the other half in `trained`, or leave it out to train here"
                )


def _judge(config: Config, judge: MiniOptions) -> dict[str, Any]:
    """The expected record of the mini judge: settings, frozen networks, and its inputs."""
    architecture = plain(config.model_zoo[judge.encoder])
    return {
        "options": plain(mini_training(config)),
        "seed": config.seed,
        "layers": judge.layers,
        "network": {key: architecture[key] for key in ("factory", "kwargs", "input")},
        "data set": judge.dataset,
        "text encoder": judge.text,
    }


def _of_judge(record: dict[str, Any]) -> dict[str, Any]:
    """The same of the record of a judge, whose inputs lie in folders of their kinds."""
    options, places = record["options"], [Path(path) for path in record["inputs"]]
    named = {place.name: place.parent.name for place in places}
    sets = [name for name, kind in named.items() if kind == "datasets"]
    network = options["encoder"]["model"]
    assets = {name for name, kind in named.items() if kind == "assets"}
    weights = network["weights"].get("path") or ""
    texts = [name for name in assets if f"/assets/{name}/" not in f"/{weights}"]
    return {
        **options,
        "layers": options["encoder"]["layers"],
        "network": network,
        "data set": sets[0] if sets else None,
        "text encoder": texts[0] if texts else None,
    }


def _facts(record: dict[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in FACTS if name in record}


def _common(other: Any, value: Any) -> Any:
    """Of values by name those that `value` has; what is in them counts as a whole."""
    if isinstance(value, dict) and isinstance(other, dict):
        return {key: other.get(key) for key in value}
    return other


def _compare(config: Config, folder: str, wanted: dict[str, Any], keys: str) -> None:
    # This run's folder may lie inside the other's: `trained: results`, `results: results/my_net`.
    if Path(folder).is_relative_to(config.pathvars.results):
        return
    record = read_record(Path(folder) / NAME)
    judges = record["step"] == "referee.train_judge"
    options = _of_judge(record) if judges else {**_facts(record), **record["options"]}
    for name, value in wanted.items():
        if name in FACTS and name not in options:
            continue  # by an earlier release
        other = _common(options.get(name), value)
        if name == "data set" and isinstance(other, dict):  # records hold places of files too
            other["options"] = _common(other["options"], value["options"])
        if other != value:
            raise UserError(
                f"config: trained: {folder} was trained with another {name} than this "
                f"configuration asks for ({keys}); take the change back, or leave `trained` out to "
                "train here"
            )
