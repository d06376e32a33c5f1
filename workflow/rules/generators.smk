# Data sets that a network draws, from scenes or from random codes.


def generator_network(wildcards):
    """Canonical JSON of the network that draws a data set."""
    model = CONFIG.dataset_zoo[wildcards.dataset].generator
    return canonical(network_plan.job_network(CONFIG, model))


def generator_weights(wildcards):
    """The weights of that network."""
    model = CONFIG.dataset_zoo[wildcards.dataset].generator
    return network_plan.weights_file(CONFIG, model) or []


def generator_scenes(wildcards):
    """The data set whose scenes are drawn."""
    return dataset_folder(CONFIG.dataset_zoo[wildcards.dataset].scenes)


def drawn_kind(kind):
    """Names of the data sets of one kind, as a wildcard constraint."""
    return one_of(
        name for name, spec in CONFIG.dataset_zoo.items() if spec.kind == kind
    )


rule generators_draw:
    input:
        weights=generator_weights,
        scenes=generator_scenes,
    output:
        folder=directory("<resources>/datasets/{dataset}"),
    log:
        "<logs>/datasets/{dataset}.log",
    benchmark:
        "<benchmarks>/datasets/{dataset}.tsv"
    wildcard_constraints:
        dataset=drawn_kind("generated"),
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(4),
    params:
        dataset="{dataset}",
        model=generator_network,
        code=step_code("generators.draw"),
    shell:
        command("generators.draw")


rule generators_latents:
    input:
        weights=generator_weights,
    output:
        folder=directory("<resources>/datasets/{dataset}"),
    log:
        "<logs>/datasets/{dataset}.log",
    benchmark:
        "<benchmarks>/datasets/{dataset}.tsv"
    wildcard_constraints:
        dataset=drawn_kind("latents"),
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(8),
    params:
        dataset="{dataset}",
        spec=dataset_spec,
        model=generator_network,
        code=step_code("generators.latents"),
    shell:
        command("generators.latents")
