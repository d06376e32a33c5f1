# Exemplars of networks: shards of the probe images, then all of them.
from milan_core.exemplars import plan as exemplars_plan


def exemplars_shards(wildcards):
    """The shards of one network: the merge refuses a set that is not complete."""
    count = CONFIG.exemplars.shards
    folder = f"{RESULTS}/{wildcards.model}/exemplars/shards"
    return [f"{folder}/{part}-of-{count}.safetensors" for part in range(1, count + 1)]


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
        parts=r"\d+",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem="8GB",
        runtime="4h",
    params:
        model=job_network,
        options=lambda wildcards: canonical(
            exemplars_plan.mining_options(CONFIG, wildcards.model)
        ),
        part=lambda wildcards: wildcards.part,
        parts=lambda wildcards: wildcards.parts,
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
        mem="8GB",
    params:
        code=step_code("exemplars.merge"),
    shell:
        command("exemplars.merge")


rule exemplars:
    input:
        collect("<results>/{model}/exemplars/exemplars.safetensors", model=NETWORKS),
    localrule: True
