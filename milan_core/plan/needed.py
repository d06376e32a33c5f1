"""The networks that a configuration mines, and the data packages that it reads."""

from __future__ import annotations

from milan_core.config import Config
from milan_core.exemplars.plan import heldout_dataset
from milan_core.experiments.analyze.plan import analyze_assets
from milan_core.experiments.audit.plan import audited
from milan_core.experiments.edit.plan import edited, references
from milan_core.networks.weight_options import AssetWeights
from milan_core.plan.splits import annotated
from milan_core.referee.plan import candidates, held_apart, mini_judge


def needed_models(config: Config) -> list[str]:
    """Networks whose units must be mined: described, scored, learned from, audited or edited."""
    return sorted({*candidates(config), *annotated(config), *audited(config), *edited(config)})


def used_assets(config: Config) -> list[str]:
    """Names of the assets that the configured networks, data sets and scores read."""
    models = [config.model_zoo[name] for name in [*needed_models(config), config.encoder.model]]
    models += [config.model_zoo[name] for name in references(config)]
    judge = mini_judge(config)
    models += [config.model_zoo[judge.encoder]] if judge else []
    weights = [model.weights for model in models]
    names = {one.asset for one in weights if isinstance(one, AssetWeights)}
    for model in models:
        for dataset in [model.dataset, *(model.training.datasets if model.training else [])]:
            names.update(config.dataset_zoo[dataset].read_assets)
    for name in held_apart(config):
        names.update(config.dataset_zoo[str(heldout_dataset(config, name))].read_assets)
    names.update(filter(None, [config.generalization.bertscore]))
    if config.baselines.methods and config.baselines.dataset:
        names.update(config.dataset_zoo[config.baselines.dataset].read_assets)
    if judge:
        names.update(filter(None, [judge.text]), config.dataset_zoo[judge.dataset].read_assets)
    names.update(analyze_assets(config))
    return sorted(names)
