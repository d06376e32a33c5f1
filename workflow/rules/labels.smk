# Labels of units from lists of concepts.
# Modules of the describers that label: part of the code of their step.
LABELERS = [f"describers.{name}" for name in describers_plan.label_names(CONFIG)]


def label_concepts(wildcards):
    """The concept masks of the images that labels are drawn from, when a method reads masks."""
    dataset = describers_plan.label_dataset(CONFIG, wildcards.model)
    masks = f"{RESULTS}/baselines/concepts/{dataset}/concepts.safetensors"
    return masks if describers_plan.needs_masks(CONFIG) else []


def label_seen(wildcards):
    """Give the mini judge's concept scores of the images that labels are drawn from."""
    dataset = describers_plan.label_dataset(CONFIG, wildcards.model)
    seen = f"{RESULTS}/referee/mini/{dataset}.safetensors"
    return seen if describers_plan.judge_labels(CONFIG) else []


rule describers_concepts:
    input:
        dataset="<resources>/datasets/{dataset}",
    output:
        concepts="<results>/baselines/concepts/{dataset}/concepts.safetensors",
        record="<results>/baselines/concepts/{dataset}/provenance.json",
    log:
        "<logs>/baselines/concepts-{dataset}.log",
    benchmark:
        "<benchmarks>/baselines/concepts-{dataset}.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(8),
        runtime="4h",
    params:
        source=canonical(CONFIG.baselines.concepts),
        code=step_code("describers.concepts"),
    shell:
        command("describers.concepts")


rule describers_label:
    input:
        weights=model_weights,
        dataset=lambda wildcards: dataset_folder(
            describers_plan.label_dataset(CONFIG, wildcards.model)
        ),
        concepts=label_concepts,
        judge=(
            referee_plan.judge_folder(CONFIG)
            if describers_plan.judge_labels(CONFIG)
            else []
        ),
        seen=label_seen,
    output:
        labels="<results>/{model}/labels/labels.csv",
        record="<results>/{model}/labels/provenance.json",
    log:
        "<logs>/{model}/labels.log",
    benchmark:
        "<benchmarks>/{model}/labels.tsv"
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
        methods=canonical(describers_plan.label_methods(CONFIG)),
        published=lambda wildcards: canonical(
            describers_plan.published_labels(CONFIG, wildcards.model)
        ),
        code=step_code("describers.label", *LABELERS),
    shell:
        command("describers.label")


rule describers_import_labels:
    input:
        annotations="<results>/{annotation_set}/annotations/annotations.csv",
        features="<results>/{annotation_set}/features/features.safetensors",
    output:
        labels="<results>/{annotation_set}/labels/labels.csv",
        record="<results>/{annotation_set}/labels/provenance.json",
    log:
        "<logs>/{annotation_set}/labels.log",
    localrule: True
    conda:
        "../../envs/milan.yaml"
    resources:
        mem=memory(2),
    params:
        published=lambda wildcards: canonical(
            describers_plan.published_labels(CONFIG, wildcards.annotation_set)
        ),
        code=step_code("describers.import_labels"),
    shell:
        command("describers.import_labels")
