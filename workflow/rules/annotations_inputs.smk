# What the rules of annotations wait for and what their commands are given.


def annotation_set_spec(wildcards):
    """Canonical JSON of the annotation set."""
    return annotated.set_params(CONFIG, wildcards.annotation_set)


def annotation_set_files(wildcards):
    """A digest of the set's files, which lie where the user keeps them."""
    return annotated.set_version(CONFIG, wildcards.annotation_set)
