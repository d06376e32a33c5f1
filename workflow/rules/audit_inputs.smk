# What the rules of audit wait for and what their commands are given.

REVIEW = CONFIG.audit.review if CONFIG.audit else None


def audited(kind):
    """An input function: one file of every audited network, in the order of the options."""

    def files(wildcards):
        return [f"{RESULTS}/{name}/{kind}" for name in plan.audited(CONFIG)]

    return files


def audited_truth(wildcards):
    """Ground truth of the audited networks whose probe images have it."""
    names = [name for name in plan.audited(CONFIG) if plan.has_truth(CONFIG, name)]
    return [f"{RESULTS}/{name}/annotations/truth.csv" for name in names]


def audited_datasets(wildcards):
    """The probe data set of every audited network."""
    return [
        dataset_folder(CONFIG.model_zoo[name].dataset) for name in plan.audited(CONFIG)
    ]
