rule analyze_network:
    input:
        weights=model_weights,
        dataset=evaluation_manifest,
        descriptions="<results>/{model}/descriptions.csv",
        parser=analyze_asset("parser"),
        vectors=analyze_asset("vectors"),
    output:
        ablation="<results>/analyze/{model}/ablation.csv",
        importance="<results>/analyze/{model}/importance.csv",
        criteria="<results>/analyze/{model}/criteria.csv",
    log:
        "<logs>/analyze/{model}.log",
    benchmark:
        "<benchmarks>/analyze/{model}.tsv"
    priority: 8
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        gpu=gpus,
        mem="4GB",
    params:
        model=model_spec,
        network=network_source,
        options=plan_analysis.analyze_params(CONFIG),
        assets=analyze_options,
        seed=CONFIG.seed,
        device=CONFIG.device,
        folder=subpath(output.ablation, parent=True),
        code=code_version("analyze"),
    shell:
        "milan --log {log} analyze network --model {params.model:q} --dataset {input.dataset}"
        " --descriptions {input.descriptions} {params.assets} --options {params.options:q}"
        " --seed {params.seed} --device {params.device} --threads {threads} --out {params.folder}"


rule analyze_table:
    input:
        collect(
            "<results>/analyze/{model}/{file}",
            model=ANALYZED,
            file=["ablation.csv", "importance.csv", "criteria.csv"],
        ),
    output:
        section="<results>/analyze/section.json",
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
    log:
        "<logs>/analyze/table.log",
    benchmark:
        "<benchmarks>/analyze/table.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem="2GB",
    params:
        models=ANALYZED,
        seed=CONFIG.seed,
        folder=subpath(output.section, parent=True),
        code=code_version("analyze"),
    shell:
        "milan --log {log} analyze table --models {params.models} --seed {params.seed}"
        " --out {params.folder}"


rule analyze:
    input:
        collect("<results>/analyze/{file}", file=["section.json"] if ANALYZED else []),
    localrule: True
