rule generalization_score:
    input:
        descriptions=trial_file("descriptions.csv"),
        beams=trial_file("beams.safetensors"),
        baselines=trial_file("baselines.csv"),
        annotations=split_model("annotations/annotations.csv"),
        truth=known_truth,
        learnt=train_files("annotations.csv"),
        concepts=train_files("truth.csv"),
        units="<results>/captioners/{split}/seed{seed}/units.csv",
        bertscore=bertscore_asset,
    output:
        scores="<results>/generalization/{split}/{model}/seed{seed}/scores.csv",
        pmi="<results>/generalization/{split}/{model}/seed{seed}/lambda.csv",
    log:
        "<logs>/generalization/{split}-{model}-seed{seed}.log",
    benchmark:
        "<benchmarks>/generalization/{split}-{model}-seed{seed}.tsv"
    wildcard_constraints:
        model=DESCRIBABLE,
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
            f"<results>/generalization/{t.split}/{t.test}/seed{t.seed}/scores.csv"
            for t in TRIALS
        ],
        [
            f"<results>/generalization/{t.split}/{t.test}/seed{t.seed}/lambda.csv"
            for t in TRIALS
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
        trials=trial_facts,
        code=code_version("generalization"),
    shell:
        "milan --log {log} generalization table --trials {params.trials:q} --files {input}"
        " --out {output.generalization}"


rule generalization_section:
    input:
        scores=[
            f"<results>/generalization/{t.split}/{t.test}/seed{t.seed}/scores.csv"
            for t in TRIALS
        ],
        descriptions=[
            f"<results>/{t.test}/describe/{t.split}/seed{t.seed}/descriptions.csv"
            for t in TRIALS
        ],
        truth=collect(
            "<results>/{model}/annotations/truth.csv", model=plan.judged(CONFIG)
        ),
    output:
        section="<results>/generalization/section.json",
        table3="<results>/generalization/table3.csv",
        transfer="<results>/generalization/transfer.csv",
        paired="<results>/generalization/paired.csv",
        layers="<results>/generalization/layers.csv",
        figures=collect(
            "<results>/generalization/{name}.svg", name=["transfer", "layers"]
        ),
    log:
        "<logs>/generalization/section.log",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    params:
        trials=trial_facts,
        options=options("generalization", include={"bootstrap"}),
        seed=CONFIG.seed,
        code=code_version("transfer"),
    shell:
        "milan --log {log} generalization section --trials {params.trials:q} --scores {input.scores}"
        " --descriptions {input.descriptions} --truth {input.truth} --options {params.options:q}"
        " --seed {params.seed} --out {output.section}"


rule generalization:
    input:
        collect(
            "<results>/generalization/{file}",
            file=(
                [
                    "table.csv",
                    "summary.csv",
                    "lambda.csv",
                    "lambda.svg",
                    "section.json",
                ]
                if TRIALS
                else []
            ),
        ),
    localrule: True
