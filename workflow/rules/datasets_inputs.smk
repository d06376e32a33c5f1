# What data sets wait for and what the commands that build them are given.


def decoding_threads(wildcards):
    """Several threads where pictures are decoded, one where scenes are composed."""
    composed = CONFIG.dataset_zoo[wildcards.dataset].kind in (
        "stickers",
        "shapes",
        "arrays",
    )
    return 1 if composed else 8


def user_images(wildcards):
    """A digest of the user's image files, which are too many to be inputs."""
    return plan.images_version(CONFIG, wildcards.dataset)


def dataset_assets(wildcards):
    """The assets that a data set is composed of."""
    names = CONFIG.dataset_zoo[wildcards.dataset].assets
    return [asset_folder(name) for name in names]


def dataset_spec(wildcards):
    """Canonical JSON of the data set."""
    return canonical_json(
        CONFIG.dataset_zoo[wildcards.dataset].model_dump(exclude={"twin_of"})
    )


def generator_spec(wildcards):
    """Canonical JSON of the network that draws a data set."""
    model = CONFIG.dataset_zoo[wildcards.dataset].model
    return plan.model_params(CONFIG, model, RESULTS, RESOURCES)


def generator_weights(wildcards):
    """The weights of the network that draws a data set."""
    model = CONFIG.dataset_zoo[wildcards.dataset].model
    return plan.weights_file(CONFIG, model, RESULTS, RESOURCES) or []


def generator_scenes(wildcards):
    """The data set whose scenes are drawn."""
    return dataset_folder(CONFIG.dataset_zoo[wildcards.dataset].scenes)
