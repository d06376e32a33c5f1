COMPARED = baseline_plan.compared(CONFIG)


rule baselines_score:
    input:
        descriptions=trial_file("descriptions.csv"),
        beams=trial_file("beams.safetensors"),
        baselines=trial_file("baselines.csv"),
        annotations=split_model("annotations/annotations.csv"),
        truth=split_model("annotations/truth.csv"),
        features=split_model("features/features.safetensors"),
        learnt=train_files("annotations.csv"),
        learnt_features=split_inputs("features/features.safetensors"),
        units="<results>/captioners/{split}/seed{seed}/units.csv",
        bertscore=bertscore_asset,
    output:
        scores="<results>/baselines/{split}/seed{seed}/scores.csv",
        units="<results>/baselines/{split}/seed{seed}/units.csv",
        facts="<results>/baselines/{split}/seed{seed}/facts.json",
    log:
        "<logs>/baselines/{split}-seed{seed}.log",
    benchmark:
        "<benchmarks>/baselines/{split}-seed{seed}.tsv"
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
        " --learnt-features {input.learnt_features} --bertscore {input.bertscore}"
        " --options {params.options:q} --seed {params.seed} --out {output.scores}"


rule baselines_table:
    input:
        scores=[
            f"<results>/generalization/{split}/seed{seed}/scores.csv"
            for split, seed in COMPARED
        ],
        methods=[
            f"<results>/baselines/{split}/seed{seed}/scores.csv"
            for split, seed in COMPARED
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
        accuracy="<results>/baselines/accuracy.svg",
        section="<results>/baselines/section.json",
    log:
        "<logs>/baselines/table.log",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    params:
        trials=canonical_json(
            [
                [split, seed, list(SPLITS[split].train), SPLITS[split].test]
                for split, seed in COMPARED
            ]
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
                [
                    "table.csv",
                    "summary.csv",
                    "table2.csv",
                    "accuracy.svg",
                    "section.json",
                ]
                if COMPARED
                else []
            ),
        ),
    localrule: True
