# What the rules of baselines wait for and what their commands are given.

COMPARED = baseline_plan.compared(CONFIG)
LABELLED = [*baseline_plan.labelled(CONFIG), *baseline_plan.labelled_sets(CONFIG)]
KNOWN = [t.test for t in COMPARED if t.test in NETWORKS]  # whose concepts are known


def label_manifest(wildcards):
    """The images that the labels of a network are drawn from."""
    return dataset_folder(baseline_plan.label_dataset(CONFIG, wildcards.model))


def label_concepts(wildcards):
    """The concept masks of those images, when a method reads masks."""
    dataset = baseline_plan.label_dataset(CONFIG, wildcards.model)
    masks = f"{RESULTS}/baselines/concepts/{dataset}/concepts.safetensors"
    return masks if baseline_plan.needs_masks(CONFIG) else []


def trial_labels(wildcards):
    """The labels of the network that a trial is tested on."""
    model = wildcards.model
    return f"{RESULTS}/{model}/labels/labels.csv" if model in LABELLED else []
