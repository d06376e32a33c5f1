# Exemplars of networks: shards of the probe images, then all of them.
from milan_core.exemplars import plan as exemplars_plan
from milan_core.plan.cuts import Cut, cut_to_merge


def exemplars_shards(wildcards):
    """The shards of one network: the merge refuses a set that is not complete."""
    folder = f"{RESULTS}/{wildcards.model}/exemplars/shards"
    return cut_to_merge(CONFIG, wildcards.model, folder).files(folder)


def exemplars_place(wildcards):
    """(image shard, unit shard) of a job, and the number of each."""
    cut = Cut.parse(wildcards.parts)
    return *cut.place(int(wildcards.part)), cut.images, cut.units


def exemplars_tables(wildcards):
    """Tables of pooled values of the same shards; none where none are asked for."""
    shards = exemplars_shards(wildcards) if CONFIG.exemplars.table else []
    return [path.replace(".safetensors", ".activations.safetensors") for path in shards]


rule exemplars_scan:
    input:
        weights=model_weights,
        dataset=probe_manifest,
    output:
        shard="<results>/{model}/exemplars/shards/{part}-of-{parts}.safetensors",
        table=(
            [
                "<results>/{model}/exemplars/shards/{part}-of-{parts}.activations.safetensors"
            ]
            if CONFIG.exemplars.table
            else []
        ),
        record="<results>/{model}/exemplars/shards/{part}-of-{parts}.provenance.json",
    log:
        "<logs>/{model}/exemplars/{part}-of-{parts}.log",
    benchmark:
        "<benchmarks>/{model}/exemplars/{part}-of-{parts}.tsv"
    wildcard_constraints:
        part=r"\d+",
        parts=r"\d+(x\d+)?",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(8),
        runtime="4h",
    params:
        model=job_network,
        options=lambda wildcards: canonical(
            exemplars_plan.mining_options(CONFIG, wildcards.model)
        ),
        part=lambda wildcards: exemplars_place(wildcards)[0],
        block=lambda wildcards: exemplars_place(wildcards)[1],
        parts=lambda wildcards: exemplars_place(wildcards)[2],
        blocks=lambda wildcards: exemplars_place(wildcards)[3],
        seed=exemplars_plan.mining_seed(CONFIG),
        code=step_code("exemplars.scan"),
    shell:
        command("exemplars.scan")


rule exemplars_merge:
    input:
        shards=exemplars_shards,
        tables=exemplars_tables,
    output:
        exemplars="<results>/{model}/exemplars/exemplars.safetensors",
        table=(
            ["<results>/{model}/exemplars/activations.safetensors"]
            if CONFIG.exemplars.table
            else []
        ),
        record="<results>/{model}/exemplars/provenance.json",
    log:
        "<logs>/{model}/exemplars/merge.log",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem=memory(8),
    params:
        code=step_code("exemplars.merge"),
    shell:
        command("exemplars.merge")


rule exemplars:
    input:
        collect("<results>/{model}/exemplars/exemplars.safetensors", model=NETWORKS),
    localrule: True
