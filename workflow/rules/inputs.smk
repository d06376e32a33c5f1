# What the rules wait for and what their commands are given.


def model_spec(wildcards):
    """Canonical JSON of the network, so that the order of keys in YAML does not matter."""
    return canonical(network_plan.job_network(CONFIG, wildcards.model))


def options(section, **kwargs):
    """Canonical JSON of one section of the configuration, or of a part of it."""
    return canonical_json(getattr(CONFIG, section).model_dump(**kwargs))


def mining_options(wildcards):
    """Canonical JSON of the mining; the seed is named only where something is drawn."""
    section = CONFIG.exemplars.model_dump(exclude={"shards"})
    seed = {"seed": CONFIG.seed} if CONFIG.exemplars.levels == "sketch" else {}
    return canonical_json({**section, **seed})


def shard_files(wildcards):
    """The shards of one network: the merge refuses a set that is not complete."""
    count = CONFIG.exemplars.shards
    folder = f"{RESULTS}/{wildcards.model}/exemplars/shards"
    return [f"{folder}/{index}-of-{count}.safetensors" for index in range(1, count + 1)]
