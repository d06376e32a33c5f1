# Analysis: units are ablated in the order of what their descriptions say (paper section 5).
from milan_core.experiments.analyze import plan as analyze_plan

ANALYZED = analyze_plan.analyzed(CONFIG)
ANALYZE_OPTIONS = canonical(analyze_plan.analyze_options(CONFIG))


def evaluation_images(wildcards):
    """The labelled images that the accuracy of the network is measured on."""
    return dataset_folder(analyze_plan.evaluation_dataset(CONFIG, wildcards.model))


def analyze_parts(wildcards):
    """The parts that a network's analysis is joined from; none where one job makes it."""
    whole = f"{RESULTS}/analyze/{wildcards.model}/provenance.json"
    made = Made.of(
        "analyze.network_part",
        model=job_network(wildcards),
        options=ANALYZE_OPTIONS,
        seed=CONFIG.seed,
    )
    return parts_to_join(CONFIG.shards.analyze, whole, "analyze.network", made)


rule analyze_network_part:
    input:
        weights=model_weights,
        dataset=evaluation_images,
        descriptions=published("descriptions.csv"),
        parser=asset_folder(CONFIG.analyze.parser),
        vectors=asset_folder(CONFIG.analyze.vectors),
    output:
        done="<results>/analyze/{model}/parts/{part}-of-{parts}.safetensors",
        record="<results>/analyze/{model}/parts/{part}-of-{parts}.provenance.json",
    log:
        "<logs>/analyze/{model}-{part}-of-{parts}.log",
    benchmark:
        "<benchmarks>/analyze/{model}-{part}-of-{parts}.tsv"
    wildcard_constraints:
        part=r"\d+",
        parts=r"\d+",
    priority: 8
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(4),
    params:
        part="{part}",
        of="{parts}",
        model=job_network,
        options=ANALYZE_OPTIONS,
        seed=CONFIG.seed,
        code=step_code("analyze.network_part"),
    shell:
        command("analyze.network_part")


rule analyze_network:
    input:
        parts=analyze_parts,
        weights=model_weights,
        dataset=evaluation_images,
        descriptions=published("descriptions.csv"),
        parser=asset_folder(CONFIG.analyze.parser),
        vectors=asset_folder(CONFIG.analyze.vectors),
    output:
        ablation="<results>/analyze/{model}/ablation.csv",
        importance="<results>/analyze/{model}/importance.csv",
        criteria="<results>/analyze/{model}/criteria.csv",
        record="<results>/analyze/{model}/provenance.json",
    log:
        "<logs>/analyze/{model}.log",
    benchmark:
        "<benchmarks>/analyze/{model}.tsv"
    priority: 8
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(4),
    params:
        model=job_network,
        options=ANALYZE_OPTIONS,
        seed=CONFIG.seed,
        code=step_code("analyze.network"),
    shell:
        command("analyze.network")


rule analyze_table:
    input:
        ablation=collect("<results>/analyze/{model}/ablation.csv", model=ANALYZED),
        importance=collect("<results>/analyze/{model}/importance.csv", model=ANALYZED),
        criteria=collect("<results>/analyze/{model}/criteria.csv", model=ANALYZED),
    output:
        summary=report(
            "<results>/analyze/summary.csv",
            caption="../report/analyze.rst",
            category="analyze",
            labels={"kind": "table"},
        ),
        correlations="<results>/analyze/correlations.csv",
        shares="<results>/analyze/shares.csv",
        differences="<results>/analyze/differences.svg",
        curves=collect("<results>/analyze/{model}/curves.svg", model=ANALYZED),
        section="<results>/analyze/section.json",
        record="<results>/analyze/provenance.json",
    log:
        "<logs>/analyze/table.log",
    benchmark:
        "<benchmarks>/analyze/table.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem=memory(2),
    params:
        models=canonical(ANALYZED),
        images=CONFIG.analyze.images or 0,
        seed=CONFIG.seed,
        code=step_code("analyze.table"),
    shell:
        command("analyze.table")


rule analyze:
    input:
        rules.analyze_table.output if ANALYZED else [],
    localrule: True
