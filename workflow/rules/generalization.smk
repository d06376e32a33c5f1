rule generalization_score:
    input:
        descriptions=trial_file("descriptions.csv"),
        beams=trial_file("beams.safetensors"),
        baselines=trial_file("baselines.csv"),
        annotations=split_model("annotations/annotations.csv"),
        truth=split_model("annotations/truth.csv"),
        learnt=train_files("annotations.csv"),
        concepts=train_files("truth.csv"),
        units="<results>/captioners/{split}/seed{seed}/units.csv",
        bertscore=bertscore_asset,
    output:
        scores="<results>/generalization/{split}/seed{seed}/scores.csv",
        pmi="<results>/generalization/{split}/seed{seed}/lambda.csv",
    log:
        "<logs>/generalization/{split}-seed{seed}.log",
    benchmark:
        "<benchmarks>/generalization/{split}-seed{seed}.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem="4GB",
    params:
        options=options(
            "generalization", include={"lambdas", "bertscore_layer", "bootstrap"}
        ),
        seed=CONFIG.seed,
        code=code_version("generalization"),
    shell:
        "milan --log {log} generalization score --descriptions {input.descriptions} --beams {input.beams}"
        " --baselines {input.baselines} --annotations {input.annotations} --truth {input.truth}"
        " --learnt {input.learnt} --units {input.units} --bertscore {input.bertscore}"
        " --options {params.options:q} --seed {params.seed} --out {output.scores}"


rule generalization_table:
    input:
        [
            f"<results>/generalization/{split}/seed{seed}/scores.csv"
            for split, seed in TRIALS
        ],
        [
            f"<results>/generalization/{split}/seed{seed}/lambda.csv"
            for split, seed in TRIALS
        ],
    output:
        generalization=report(
            "<results>/generalization/table.csv",
            caption="../report/generalization.rst",
            category="generalization",
            labels={"kind": "table"},
        ),
        pmi="<results>/generalization/lambda.csv",
        figure="<results>/generalization/lambda.svg",
        summary="<results>/generalization/summary.csv",
    log:
        "<logs>/generalization/table.log",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    params:
        trials=canonical_json(
            [
                [split, seed, list(SPLITS[split].train), SPLITS[split].test]
                for split, seed in TRIALS
            ]
        ),
        code=code_version("generalization"),
    shell:
        "milan --log {log} generalization table --trials {params.trials:q} --files {input}"
        " --out {output.generalization}"


rule generalization:
    input:
        collect(
            "<results>/generalization/{file}",
            file=(
                ["table.csv", "summary.csv", "lambda.csv", "lambda.svg"]
                if TRIALS
                else []
            ),
        ),
    localrule: True
