# What the rules that score variants wait for and are given.


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
