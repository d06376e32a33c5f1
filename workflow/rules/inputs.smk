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
