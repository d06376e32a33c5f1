# What the rules of edit wait for and what their commands are given.


def edit_datasets(wildcards):
    """Data sets of one editing, in the order of the options; twins may appear twice."""
    trial = plan.edit_trial(CONFIG, wildcards.model)
    return [manifest(name) for name in trial.datasets().values()]


def edit_truth(wildcards):
    """Ground truth of the edited network, where its probe images have it."""
    if not plan.has_truth(CONFIG, wildcards.model):
        return []
    return f"{RESULTS}/{wildcards.model}/annotations/truth.csv"


def edit_training(wildcards):
    """The images that the network was trained on, when its head is to be trained again."""
    if CONFIG.edit is None or CONFIG.edit.fine_tune is None:
        return []
    return manifest(CONFIG.model_zoo[wildcards.model].weights.dataset)


def edit_reference(wildcards):
    """The accuracies of the network that was trained without the spurious cue."""
    name = plan.edit_trial(CONFIG, wildcards.model).reference
    return f"{RESULTS}/{name}/target/accuracy.csv" if name else []
