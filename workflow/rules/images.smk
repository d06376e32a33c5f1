# Data sets that are composed from assets, or read from the user's images.
from milan_core.images import plan as images_plan

DRAWN = [name for name, spec in CONFIG.dataset_zoo.items() if spec.generator]


def dataset_assets(wildcards):
    """The folders of the assets that a data set is composed of."""
    names = CONFIG.dataset_zoo[wildcards.dataset].read_assets
    return [asset_folder(name) for name in names]


def dataset_spec(wildcards):
    """Canonical JSON of the data set."""
    return canonical(images_plan.job_dataset(CONFIG, wildcards.dataset))


def dataset_kind(wildcards):
    """The module of the data set's kind, which is imported by name."""
    return f"images.kinds.{CONFIG.dataset_zoo[wildcards.dataset].kind}"


rule images_build:
    input:
        assets=dataset_assets,
    output:
        folder=directory("<resources>/datasets/{dataset}"),
    log:
        "<logs>/datasets/{dataset}.log",
    benchmark:
        "<benchmarks>/datasets/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(name for name in CONFIG.dataset_zoo if name not in DRAWN),
    conda:
        "../../envs/milan.yaml"
    threads: lambda wildcards: images_plan.build_threads(CONFIG, wildcards.dataset)
    resources:
        mem=memory(4),
    params:
        dataset="{dataset}",
        spec=dataset_spec,
        code=lambda wildcards: step_code("images.build", dataset_kind(wildcards)),
    shell:
        command("images.build")
