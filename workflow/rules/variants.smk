# Variants: other captioners and priors, and their scores beside the main descriptions.


def variant_captioner(wildcards):
    """The files of the captioner trained here, for variants that read it."""
    needed = describers_plan.variant_options(CONFIG, wildcards.variant).reads_captioner
    return published_captioner(*CAPTIONER_FILES)(wildcards) if needed else []


def variant_features(wildcards):
    """The features that the captioner trained here reads; published ones make their own."""
    if CONFIG.variants[wildcards.variant].captioner.family != "milan":
        return []
    return f"{RESULTS}/{wildcards.model}/features/features.safetensors"


def variant_judge(wildcards):
    """The mini judge, where it takes CLIP's place in a variant."""
    reranks = describers_plan.judge_reranks(CONFIG, wildcards.variant)
    return referee_plan.judge_folder(CONFIG) if reranks else []


def variant_seen(wildcards):
    """What the mini judge sees in the probe images, for a variant that it re-ranks."""
    dataset = CONFIG.model_zoo[wildcards.model].dataset
    seen = f"{RESULTS}/referee/mini/{dataset}.safetensors"
    return seen if describers_plan.judge_reranks(CONFIG, wildcards.variant) else []


rule describers_variant:
    input:
        captioner=variant_captioner,
        features=variant_features,
        released=lambda wildcards: describers_plan.released_files(
            CONFIG, wildcards.variant
        ),
        exemplars="<results>/{model}/exemplars/exemplars.safetensors",
        dataset=probe_manifest,
        asset=lambda wildcards: asset_folder(
            describers_plan.variant_asset(CONFIG, wildcards.variant)
        ),
        judge=variant_judge,
        seen=variant_seen,
    output:
        descriptions="<results>/{model}/variants/{variant}/descriptions.csv",
        candidates="<results>/{model}/variants/{variant}/candidates.csv",
        record="<results>/{model}/variants/{variant}/provenance.json",
    log:
        "<logs>/{model}/variants/{variant}.log",
    benchmark:
        "<benchmarks>/{model}/variants/{variant}.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(8),
        runtime="12h",
    params:
        options=lambda wildcards: canonical(
            describers_plan.variant_options(CONFIG, wildcards.variant)
        ),
        code=step_code("describers.variant"),
    shell:
        command("describers.variant")


def variant_names(wildcards):
    """The main descriptions, then the variants of a network."""
    names = [
        name
        for model, name in describers_plan.varied(CONFIG)
        if model == wildcards.model
    ]
    return ["main", *names]


def variant_tables(wildcards):
    """The main descriptions of a network, then those of its variants."""
    folder = f"{RESULTS}/{wildcards.model}"
    others = variant_names(wildcards)[1:]
    return [
        published("descriptions.csv")(wildcards),
        *(f"{folder}/variants/{name}/descriptions.csv" for name in others),
    ]


rule variants_score:
    input:
        annotations="<results>/{model}/annotations/annotations.csv",
        truth="<results>/{model}/annotations/truth.csv",
        captioner_units=published_captioner("units.csv"),
        train_annotations=train_annotations,
        train_truth=train_truth,
        bertscore=bertscore_asset,
        tables=variant_tables,
    output:
        scores="<results>/{model}/variants/scores.csv",
        record="<results>/{model}/variants/provenance.json",
    log:
        "<logs>/{model}/variants/scores.log",
    benchmark:
        "<benchmarks>/{model}/variants/scores.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem=memory(4),
    params:
        trained_on=trained_on,
        options=canonical(generalization_plan.score_options(CONFIG)),
        seed=CONFIG.seed,
        model="{model}",
        names=lambda wildcards: canonical(variant_names(wildcards)),
        code=step_code("variants.score"),
    shell:
        command("variants.score")


rule variants_table:
    input:
        scores=collect(
            "<results>/{model}/variants/scores.csv",
            model=describers_plan.scored_variants(CONFIG),
        ),
    output:
        table="<results>/variants/table.csv",
        section="<results>/variants/section.json",
        record="<results>/variants/provenance.json",
    log:
        "<logs>/variants/table.log",
    benchmark:
        "<benchmarks>/variants/table.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem=memory(2),
    params:
        code=step_code("variants.table"),
    shell:
        command("variants.table")


rule variants:
    input:
        [
            f"<results>/{model}/variants/{variant}/descriptions.csv"
            for model, variant in describers_plan.varied(CONFIG)
        ],
        collect(
            "<results>/variants/{file}",
            file=(
                ["table.csv", "section.json"]
                if describers_plan.scored_variants(CONFIG)
                else []
            ),
        ),
    localrule: True
