rule variants_describe:
    input:
        captioner=variant_captioner,
        features=variant_features,
        released=variant_released,
        exemplars="<results>/{model}/exemplars/exemplars.safetensors",
        dataset=probe_manifest,
        asset=variant_asset,
    output:
        descriptions="<results>/{model}/variants/{variant}/descriptions.csv",
        candidates="<results>/{model}/variants/{variant}/candidates.csv",
    log:
        "<logs>/{model}/variants/{variant}.log",
    benchmark:
        "<benchmarks>/{model}/variants/{variant}.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        gpu=gpus,
        mem="8GB",
        runtime="12h",
    params:
        spec=variant_spec,
        device=CONFIG.device,
        code=code_version("variants"),
    shell:
        "milan --log {log} variants describe --spec {params.spec:q} --captioner {input.captioner}"
        " --features {input.features} --exemplars {input.exemplars} --dataset {input.dataset}"
        " --device {params.device} --threads {threads} --out {output.descriptions}"


rule variants_score:
    input:
        tables=variant_tables,
        annotations="<results>/{model}/annotations/annotations.csv",
        truth="<results>/{model}/annotations/truth.csv",
        units=published_captioner("units.csv"),
        learnt=published_learnt("annotations.csv"),
        concepts=published_learnt("truth.csv"),
        bertscore=bertscore_asset,
    output:
        "<results>/{model}/variants/scores.csv",
    log:
        "<logs>/{model}/variants/scores.log",
    benchmark:
        "<benchmarks>/{model}/variants/scores.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem="4GB",
    params:
        names=variant_names,
        options=options("generalization", include={"bertscore_layer", "bootstrap"}),
        seed=CONFIG.seed,
        code=code_version("variants"),
    shell:
        "milan --log {log} variants score --model {wildcards.model} --names {params.names}"
        " --tables {input.tables} --annotations {input.annotations} --truth {input.truth}"
        " --units {input.units} --learnt {input.learnt} --bertscore {input.bertscore}"
        " --options {params.options:q} --seed {params.seed} --out {output}"


rule variants_table:
    input:
        collect(
            "<results>/{model}/variants/scores.csv", model=plan.scored_variants(CONFIG)
        ),
    output:
        table="<results>/variants/table.csv",
        section="<results>/variants/section.json",
    log:
        "<logs>/variants/table.log",
    benchmark:
        "<benchmarks>/variants/table.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem="2GB",
    params:
        code=code_version("variants"),
    shell:
        "milan --log {log} variants table --files {input} --out {output.table}"


rule variants:
    input:
        [
            f"<results>/{model}/variants/{variant}/descriptions.csv"
            for model, variant in plan.varied(CONFIG)
        ],
        collect(
            "<results>/variants/{file}",
            file=(
                ["table.csv", "section.json"] if plan.scored_variants(CONFIG) else []
            ),
        ),
    localrule: True
