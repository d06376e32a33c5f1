# Variants: the scores of further descriptions beside the main ones.


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
