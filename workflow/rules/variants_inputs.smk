# What the rules of the variants wait for and are given.


def variant_spec(wildcards):
    """Canonical JSON of a variant."""
    return plan.variant_params(CONFIG, wildcards.variant, RESOURCES)


def variant_asset(wildcards):
    """The asset that holds the prior of a variant, if it is one."""
    name = CONFIG.variants[wildcards.variant].prior.asset
    return asset_folder(name)


def variant_names(wildcards):
    """What a network's variants are compared with, then the variants themselves."""
    found = [name for model, name in plan.varied(CONFIG) if model == wildcards.model]
    return ["main", *found]


def variant_tables(wildcards):
    """The main descriptions of a network, then those of its variants."""
    folder = f"{RESULTS}/{wildcards.model}"
    others = variant_names(wildcards)[1:]
    return [
        f"{folder}/descriptions.csv",
        *(f"{folder}/variants/{name}/descriptions.csv" for name in others),
    ]


def variant_captioner(wildcards):
    """The files of the captioner trained here, for variants that read it."""
    needed = plan.reads_trained(CONFIG, wildcards.variant)
    return published_captioner(*CAPTIONER_FILES)(wildcards) if needed else []


def variant_features(wildcards):
    """The features that the captioner trained here reads; published ones make their own."""
    if CONFIG.variants[wildcards.variant].captioner.family != "milan":
        return []
    return f"{RESULTS}/{wildcards.model}/features/features.safetensors"


def variant_released(wildcards):
    """The files of a published captioner."""
    return plan.released_files(CONFIG, wildcards.variant)
