# What the rules of analyze.smk wait for and are given.

from milan_core.experiments.analyze import plan as plan_analysis

ANALYZED = plan_analysis.analyzed(CONFIG)


def evaluation_manifest(wildcards):
    """The labelled images that the accuracy of the network is measured on."""
    return dataset_folder(plan_analysis.evaluation_dataset(CONFIG, wildcards.model))


def analyze_asset(kind):
    """The parser or the word vectors, when the configuration names one."""
    name = getattr(CONFIG.analyze, kind)
    return asset_folder(name)


def analyze_options(wildcards, input):
    """The command's arguments for the assets that are there."""
    found = {"--parser": input.parser, "--vectors": input.vectors}
    return " ".join(f"{flag} {path}" for flag, path in found.items() if path)
