# What the rules wait for and what their commands are given.


def model_spec(wildcards):
    """Canonical JSON of the network, so that the order of keys in YAML does not matter."""
    return plan.model_params(CONFIG, wildcards.model, RESULTS, RESOURCES)


def options(section, **kwargs):
    """Canonical JSON of one section of the configuration, or of a part of it."""
    return canonical_json(getattr(CONFIG, section).model_dump(**kwargs))


def mining_options(wildcards):
    """Canonical JSON of the mining; the seed is named only where something is drawn."""
    section = CONFIG.exemplars.model_dump(exclude={"shards"})
    seed = {"seed": CONFIG.seed} if CONFIG.exemplars.levels == "sketch" else {}
    return canonical_json({**section, **seed})


def asset_spec(wildcards):
    """Canonical JSON of an asset of the user's own; null for a built-in one."""
    own = CONFIG.asset_zoo.get(wildcards.asset)
    return canonical_json(own.model_dump() if own else None)


def weights_spec(wildcards):
    """Canonical JSON of the addresses and the digest of published weights."""
    return FETCHED_WEIGHTS[wildcards.weights_file]


def training_spec(wildcards):
    """Canonical JSON of the training of one target network."""
    return plan.training_params(CONFIG, wildcards.model, RESULTS, RESOURCES)


def training_seed(wildcards):
    """The seed of the network's training: its own, or the run's."""
    own = CONFIG.model_zoo[wildcards.model].weights.seed
    return CONFIG.seed if own is None else own


def training_manifests(wildcards):
    """The data set that a target learns from, then those its accuracy is reported on."""
    weights = CONFIG.model_zoo[wildcards.model].weights
    return [dataset_folder(name) for name in [weights.dataset, *weights.tests]]


def teacher_weights(wildcards):
    """The weights of the network that a target learns the features of."""
    teacher = CONFIG.model_zoo[wildcards.model].weights.teacher
    return (
        plan.weights_file(CONFIG, teacher, RESULTS, RESOURCES) or [] if teacher else []
    )


def shard_files(wildcards):
    """The shards of one network: the merge refuses a set that is not complete."""
    count = CONFIG.exemplars.shards
    folder = f"{RESULTS}/{wildcards.model}/exemplars/shards"
    return [f"{folder}/{index}-of-{count}.safetensors" for index in range(1, count + 1)]


def published(kind):
    """An input function: a file of the trial that is published for the network."""

    def path(wildcards):
        split = plan.primary_split(CONFIG, wildcards.model)
        seed = plan.seeds(CONFIG, split)[0]
        return f"{RESULTS}/{wildcards.model}/describe/{split}/seed{seed}/{kind}"

    return path


def within(wildcards):
    """The within-network descriptions of a network that has annotations."""
    if wildcards.model not in plan.described(CONFIG):
        return []
    split = f"within_{wildcards.model}"
    seed = plan.seeds(CONFIG, split)[0]
    return f"{RESULTS}/{wildcards.model}/describe/{split}/seed{seed}/descriptions.csv"


def split_model(kind):
    """An input function: a file of the network that the trial is scored on."""

    def path(wildcards):
        return f"{RESULTS}/{wildcards.model}/{kind}"

    return path


def known_truth(wildcards):
    """Ground truth of a described network; annotation sets have none."""
    if wildcards.model in CONFIG.annotation_sets:
        return []
    return f"{RESULTS}/{wildcards.model}/annotations/truth.csv"


def trial_file(kind):
    """An input function: a file of one trial of the split on one network."""

    def path(wildcards):
        folder = f"{RESULTS}/{wildcards.model}/describe/{wildcards.split}"
        return f"{folder}/seed{wildcards.seed}/{kind}"

    return path


def bertscore_asset(wildcards):
    """The text encoder of BERTScore, when the configuration names one."""
    name = CONFIG.generalization.bertscore
    return asset_folder(name)


def taught_files(split, kind):
    """Annotations or concepts of what a split learns from.

    Concepts are known of networks that were probed with a world, not of annotation sets.
    """
    names = SPLITS[split].train
    if kind == "truth.csv":
        names = [name for name in names if name not in CONFIG.annotation_sets]
    return [f"{RESULTS}/{name}/annotations/{kind}" for name in names]


def train_files(kind):
    """An input function: annotations or concepts of what the split learns from."""

    def files(wildcards):
        return taught_files(wildcards.split, kind)

    return files


def published_learnt(kind):
    """An input function: annotations or concepts that the published captioner learnt from."""

    def files(wildcards):
        return taught_files(plan.primary_split(CONFIG, wildcards.model), kind)

    return files


def trial_facts(wildcards):
    """Canonical JSON of all trials, in the order of their files."""
    return canonical_json(
        [
            {
                "experiment": trial.experiment,
                "split": trial.split,
                "train": list(SPLITS[trial.split].train),
                "test": trial.test,
                "seed": trial.seed,
                "learnt": trial.learnt,
                "described": trial.described,
                "primary": trial.split == plan.primary_split(CONFIG, trial.test),
            }
            for trial in TRIALS
        ]
    )
