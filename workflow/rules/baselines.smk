rule baselines_concepts:
    input:
        dataset="<resources>/datasets/{dataset}",
    output:
        "<results>/baselines/concepts/{dataset}/concepts.safetensors",
    log:
        "<logs>/baselines/concepts-{dataset}.log",
    benchmark:
        "<benchmarks>/baselines/concepts-{dataset}.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        gpu=gpus,
        mem="8GB",
        runtime="4h",
    params:
        options=baseline_plan.concept_params(CONFIG),
        device=CONFIG.device,
        code=code_version("labels"),
    shell:
        "milan --log {log} baselines concepts --dataset {input.dataset} --options {params.options:q}"
        " --device {params.device} --threads {threads} --out {output}"


rule baselines_label:
    input:
        weights=model_weights,
        dataset=label_manifest,
        concepts=label_concepts,
    output:
        "<results>/{model}/labels/labels.csv",
    log:
        "<logs>/{model}/labels.log",
    benchmark:
        "<benchmarks>/{model}/labels.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        gpu=gpus,
        mem="8GB",
        runtime="4h",
    params:
        model=model_spec,
        options=lambda wildcards: baseline_plan.label_params(CONFIG, wildcards.model),
        device=CONFIG.device,
        network=network_source,
        code=code_version("labels"),
    shell:
        "milan --log {log} baselines label --model {params.model:q} --dataset {input.dataset}"
        " --concepts {input.concepts} --options {params.options:q} --device {params.device}"
        " --threads {threads} --out {output}"


rule baselines_published:
    input:
        "<results>/{annotation_set}/annotations/annotations.csv",
    output:
        "<results>/{annotation_set}/labels/labels.csv",
    log:
        "<logs>/{annotation_set}/labels.log",
    localrule: True
    conda:
        "../../envs/milan.yaml"
    params:
        options=lambda wildcards: baseline_plan.published_labels(
            CONFIG, wildcards.annotation_set
        ),
        code=code_version("labels"),
    shell:
        "milan --log {log} baselines published --annotations {input} --options {params.options:q}"
        " --out {output}"


rule baselines_score:
    input:
        descriptions=trial_file("descriptions.csv"),
        beams=trial_file("beams.safetensors"),
        baselines=trial_file("baselines.csv"),
        annotations=split_model("annotations/annotations.csv"),
        truth=known_truth,
        features=split_model("features/features.safetensors"),
        learnt=train_files("annotations.csv"),
        learnt_features=split_inputs("features/features.safetensors"),
        units="<results>/captioners/{split}/seed{seed}/units.csv",
        labels=trial_labels,
        bertscore=bertscore_asset,
    output:
        scores="<results>/baselines/{split}/{model}/seed{seed}/scores.csv",
        units="<results>/baselines/{split}/{model}/seed{seed}/units.csv",
        facts="<results>/baselines/{split}/{model}/seed{seed}/facts.json",
    log:
        "<logs>/baselines/{split}-{model}-seed{seed}.log",
    benchmark:
        "<benchmarks>/baselines/{split}-{model}-seed{seed}.tsv"
    wildcard_constraints:
        model=DESCRIBABLE,
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem="4GB",
    params:
        options=options("generalization", include={"bertscore_layer", "bootstrap"}),
        seed=CONFIG.seed,
        code=code_version("baselines"),
    shell:
        "milan --log {log} baselines score --descriptions {input.descriptions} --beams {input.beams}"
        " --baselines {input.baselines} --annotations {input.annotations} --truth {input.truth}"
        " --features {input.features} --learnt {input.learnt} --units {input.units}"
        " --learnt-features {input.learnt_features} --labels {input.labels}"
        " --bertscore {input.bertscore} --options {params.options:q} --seed {params.seed} --out {output.scores}"


rule baselines_table:
    input:
        scores=[
            f"<results>/generalization/{t.split}/{t.test}/seed{t.seed}/scores.csv"
            for t in COMPARED
        ],
        methods=[
            f"<results>/baselines/{t.split}/{t.test}/seed{t.seed}/scores.csv"
            for t in COMPARED
        ],
    output:
        table=report(
            "<results>/baselines/table.csv",
            caption="../report/baselines.rst",
            category="baselines",
            labels={"kind": "table"},
        ),
        summary="<results>/baselines/summary.csv",
        table2="<results>/baselines/table2.csv",
        accuracy=["<results>/baselines/accuracy.svg"] if KNOWN else [],
        section="<results>/baselines/section.json",
        bertscore=(
            ["<results>/baselines/bertscore.svg"]
            if CONFIG.generalization.bertscore
            else []
        ),
    log:
        "<logs>/baselines/table.log",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    params:
        trials=canonical_json(
            [[t.split, t.seed, list(SPLITS[t.split].train), t.test] for t in COMPARED]
        ),
        about=baseline_plan.about(CONFIG),
        seed=CONFIG.seed,
        code=code_version("baselines"),
    shell:
        "milan --log {log} baselines table --trials {params.trials:q} --scores {input.scores}"
        " --methods {input.methods} --about {params.about:q} --seed {params.seed}"
        " --out {output.table}"


rule baselines:
    input:
        collect(
            "<results>/baselines/{file}",
            file=(
                ["table.csv", "summary.csv", "table2.csv", "section.json"]
                if COMPARED
                else []
            ),
        ),
    localrule: True
