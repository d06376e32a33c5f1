"""Plan of the atlas: the files of each network of a run, below `<results>` and `<resources>`."""

from __future__ import annotations

from milan_core.annotations.plan import networks
from milan_core.atlas.files import SAID, SCORES
from milan_core.atlas.options import AtlasNetwork, AtlasRun
from milan_core.config import Config
from milan_core.describers.plan import further_tables, pooled
from milan_core.experiments.analyze.plan import analyzed
from milan_core.networks.plan import trained_folder
from milan_core.plan.splits import annotated, described, primary_split, seeds, trials
from milan_core.referee import plan as referee


def atlas_run(config: Config) -> AtlasRun:
    """The title, the notice and the networks of the atlas, these by name."""
    return AtlasRun(
        notice=config.notice,
        networks=[_network(config, name) for name in sorted(networks(config))],
        names=referee.board_options(config).names,
        scored=bool(trials(config)),
        sets=[name for name in described(config) if name in config.annotation_sets],
    )


def _network(config: Config, name: str) -> AtlasNetwork:
    return AtlasNetwork(
        name=name,
        dataset=config.model_zoo[name].dataset,
        is_encoder=name == config.encoder.model,
        is_student=getattr(config.model_zoo[name].training, "teacher", None)
        == config.encoder.model,
        weight=config.describe.temperature,
        roles=list(network_paths(config, name)),
    )


def network_paths(config: Config, name: str) -> dict[str, str]:
    """The files of one network by role, in the order of `AtlasNetwork.roles`."""
    results, spec = config.pathvars.results, config.model_zoo[name]
    folder, split = f"{results}/{name}", primary_split(config, name)
    trial = f"{folder}/describe/{split}/seed{seeds(config, split)[0]}"
    paths = {
        "exemplars": f"{folder}/exemplars/exemplars.safetensors",
        "dataset": f"{config.pathvars.resources}/datasets/{spec.dataset}",
        "descriptions": f"{folder}/descriptions.csv",
    }
    if name in annotated(config):
        paths["annotations"] = f"{folder}/annotations/annotations.csv"
        paths["truth"] = f"{folder}/annotations/truth.csv"
    if spec.training is not None:
        target = trained_folder(config, f"{name}/target", "weights.safetensors")
        paths["accuracy"] = f"{target}/accuracy.csv"
    if "max" in config.exemplars.table:
        paths["activations"] = f"{folder}/exemplars/activations.safetensors"
    chosen = pooled(config, name)
    paths["candidates"] = f"{folder}/pool/ranking.csv" if chosen else f"{trial}/beams.safetensors"
    if name in analyzed(config):
        paths["importance"] = f"{results}/analyze/{name}/importance.csv"
    for model, judge in referee.scored(config):
        if model == name:
            paths[SCORES + judge] = f"{folder}/referee/{judge}/scores.csv"
    for describer, table in further_tables(config, name).items():
        paths[SAID + describer] = f"{results}/{table}"
    return paths
