import importlib.util
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError


def repository_root():
    """The clone that this file lies in, else None: installed, or a module of a repository."""
    base = workflow.current_basedir
    folders = Path(base).parents if isinstance(base, (str, Path)) else []
    mine = [f for f in folders if (f / "milan_core/plan/__init__.py").is_file()]
    return str(mine[0]) if mine else None


if repository_root() and repository_root() not in sys.path:
    sys.path.insert(0, repository_root())
if not importlib.util.find_spec("milan_core"):
    raise WorkflowError("milan-workflow is not installed; see docs/deployment.md")

from milan_core.annotations import plan as annotations_plan
from milan_core.plan.checks import read_config
from milan_core.core.errors import UserError
from milan_core.core.identity import step_code
from milan_core.core.options import canonical
from milan_core.core.step import command
from milan_core.core.yaml_files import load_yaml
from milan_core.networks import plan as network_plan
from milan_core.plan import splits as splits_plan
from milan_core.plan.resources import memory
from milan_core.referee import plan as referee_plan

try:
    for path in workflow.configfiles:
        load_yaml(path)  # Snakemake's own reading passes over duplicate keys
    CONFIG = read_config(config)
except UserError as error:
    raise WorkflowError("\n  ".join(error.lines)) from None

SPLITS = splits_plan.splits(CONFIG)
TRIALS = splits_plan.trials(CONFIG)
FETCHED_WEIGHTS = network_plan.fetched_weights(CONFIG)
NETWORKS = annotations_plan.networks(CONFIG)
RESULTS, RESOURCES = CONFIG.pathvars.results, CONFIG.pathvars.resources


def one_of(names):
    """A wildcard constraint: one of the names, or nothing that exists when there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


def dataset_folder(dataset):
    """The folder of a data set, which one job writes whole."""
    return f"{RESOURCES}/datasets/{dataset}"


def asset_folder(asset):
    """The folder of an asset; empty when the configuration names none."""
    return f"{RESOURCES}/assets/{asset}" if asset else []


def gpus(wildcards):
    """One GPU for jobs that run networks, or unset: some executors take 0 for a request."""
    return 1 if CONFIG.device == "cuda" else None


def job_network(wildcards):
    """Canonical JSON of the network, its weights resolved to a file."""
    return canonical(network_plan.job_network(CONFIG, wildcards.model))


def model_weights(wildcards):
    """The weights file to wait for; empty when the factory brings its own."""
    return network_plan.weights_file(CONFIG, wildcards.model) or []


def target_folder(model):
    """The folder of a trained network, here or in the run whose trained networks are used."""
    place = f"{model}/target"
    return network_plan.trained_folder(CONFIG, place, "weights.safetensors")


def probe_manifest(wildcards):
    """The probe data set of the network."""
    return dataset_folder(CONFIG.model_zoo[wildcards.model].dataset)


# What is described from features may be a network or an annotation set; only networks are mined.
DESCRIBABLE = one_of([*CONFIG.model_zoo, *CONFIG.annotation_sets])


wildcard_constraints:
    model=one_of(CONFIG.model_zoo),
    annotation_set=one_of(CONFIG.annotation_sets),
    dataset=one_of(CONFIG.dataset_zoo),
    asset="[a-z0-9_]+",
    split=one_of(SPLITS),
    seed=r"\d+",
    variant="|".join(map(re.escape, CONFIG.variants)) or "none",
