"""The inputs of the analysis by ablation: its networks, their images, its settings."""

from __future__ import annotations

from milan_core.config import Config
from milan_core.core.errors import UserError, unknown
from milan_core.core.options import narrowed
from milan_core.experiments.analyze.options import AnalyzeOptions


def analyze_assets(config: Config) -> list[str]:
    """The assets that the criteria read."""
    section = config.analyze
    return [name for name in (section.parser, section.vectors) if name and analyzed(config)]


def analyze_options(config: Config) -> AnalyzeOptions:
    """The settings that change a network's results."""
    return narrowed(config.analyze, AnalyzeOptions)


def analyzed(config: Config) -> list[str]:
    """The networks to analyze: those chosen that this run describes."""
    return [name for name in config.analyze.models if name in config.models]


def evaluation_dataset(config: Config, model: str) -> str:
    """The labeled images that the accuracy of `model` is measured on."""
    named = config.analyze.datasets.get(model)
    training = config.model_zoo[model].training
    tests = training.tests if training else []
    if not named and not tests:
        raise UserError(
            f"config: analyze.datasets: {model!r} needs a labelled data set, and its weights name "
            "no tests; add it, or take the network out of analyze.models"
        )
    return named or tests[0]


def check_analysis(config: Config) -> None:
    """Refuse names that do not exist and networks without labels; raises `UserError`."""
    section = config.analyze
    for name in [*section.models, *section.datasets]:
        if name not in config.model_zoo:
            raise unknown("model", name, config.model_zoo, "config: analyze")
    for name in section.datasets.values():
        if name not in config.dataset_zoo:
            raise unknown("data set", name, config.dataset_zoo, "config: analyze.datasets")
    for name in analyzed(config):
        evaluation_dataset(config, name)
