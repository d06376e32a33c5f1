# Further describers that the configuration lists.
from milan_core.describers.listed import plan as listed_plan

LISTED = listed_plan.listed_pairs(CONFIG)


def listed_captioner(wildcards):
    """The files of the published captioner, for describers that may read one."""
    needed = listed_plan.reads_captioner(CONFIG, wildcards.name)
    return published_captioner(*CAPTIONER_FILES)(wildcards) if needed else []


def listed_table(wildcards):
    """The activations on the probe images, where mining keeps some."""
    table = f"{RESULTS}/{wildcards.model}/exemplars/activations.safetensors"
    return table if listed_plan.reads_table(CONFIG) else []


def listed_judge(wildcards):
    """The judge trained here, for describers that read one."""
    needed = listed_plan.reads_judge(CONFIG, wildcards.name)
    return referee_plan.judge_folder(CONFIG) if needed else []


def listed_seen(wildcards):
    """What this judge sees in the probe images."""
    dataset = CONFIG.model_zoo[wildcards.model].dataset
    seen = f"{RESULTS}/referee/mini/{dataset}.safetensors"
    return seen if listed_plan.reads_judge(CONFIG, wildcards.name) else []


def listed_roots(wildcards):
    """Modules that are part of the code of its step."""
    return listed_plan.roots_of(CONFIG.describers[wildcards.name])


rule listed_describe:
    input:
        exemplars="<results>/{model}/exemplars/exemplars.safetensors",
        dataset=probe_manifest,
        table=listed_table,
        captioner=listed_captioner,
        judge=listed_judge,
        seen=listed_seen,
    output:
        descriptions="<results>/{model}/listed/{name}/descriptions.csv",
        record="<results>/{model}/listed/{name}/provenance.json",
    log:
        "<logs>/{model}/listed/{name}.log",
    benchmark:
        "<benchmarks>/{model}/listed/{name}.tsv"
    wildcard_constraints:
        name=one_of(CONFIG.describers),
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(8),
        runtime="12h",
    params:
        listed=lambda wildcards: canonical(CONFIG.describers[wildcards.name]),
        code=lambda wildcards: step_code("listed.describe", *listed_roots(wildcards)),
    shell:
        command("listed.describe")


rule listed:
    input:
        [f"{RESULTS}/{model}/listed/{name}/descriptions.csv" for model, name in LISTED],
    localrule: True
