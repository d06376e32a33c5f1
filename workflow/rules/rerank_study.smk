rule rerank_study_measure:
    input:
        captioner=published_captioner(*CAPTIONER_FILES),
        units=published_captioner("units.csv"),
        features="<results>/{model}/features/features.safetensors",
        annotations="<results>/{model}/annotations/annotations.csv",
        truth=known_truth,
        learnt=published_learnt("annotations.csv"),
        concepts=published_learnt("truth.csv"),
        bertscore=bertscore_asset,
    output:
        table="<results>/rerank_study/{model}/table.csv",
        timing="<results>/rerank_study/{model}/timing.csv",
    log:
        "<logs>/rerank_study/{model}.log",
    benchmark:
        "<benchmarks>/rerank_study/{model}.tsv"
    wildcard_constraints:
        model=DESCRIBABLE,
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        gpu=gpus,
        mem="4GB",
    params:
        options=rerank_study_options,
        seed=CONFIG.seed,
        device=CONFIG.device,
        code=code_version("rerank_study"),
    shell:
        "milan --log {log} rerank_study measure --model {wildcards.model} --captioner {input.captioner[0]}"
        " --features {input.features} --annotations {input.annotations} --truth {input.truth}"
        " --units {input.units} --learnt {input.learnt} --bertscore {input.bertscore}"
        " --options {params.options:q} --seed {params.seed} --device {params.device}"
        " --threads {threads} --out {output.table}"


rule rerank_study_table:
    input:
        tables=collect("<results>/rerank_study/{model}/table.csv", model=STUDIED),
        timings=collect("<results>/rerank_study/{model}/timing.csv", model=STUDIED),
    output:
        table="<results>/rerank_study/table.csv",
        timing="<results>/rerank_study/timing.csv",
        figure="<results>/rerank_study/study.svg",
        section="<results>/rerank_study/section.json",
    log:
        "<logs>/rerank_study/table.log",
    benchmark:
        "<benchmarks>/rerank_study/table.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem="2GB",
    params:
        temperature=CONFIG.describe.temperature,
        beam_size=CONFIG.describe.beam_size,
        code=code_version("rerank_study"),
    shell:
        "milan --log {log} rerank_study table --files {input.tables} --temperature {params.temperature}"
        " --beam-size {params.beam_size} --out {output.table}"


rule rerank_study:
    input:
        collect(
            "<results>/rerank_study/{file}",
            file=["table.csv", "section.json"] if STUDIED else [],
        ),
    localrule: True
