rule describe_units:
    input:
        captioner=[
            f"<results>/captioners/{{split}}/seed{{seed}}/{name}"
            for name in CAPTIONER_FILES
        ],
        units="<results>/captioners/{split}/seed{seed}/units.csv",
        features="<results>/{model}/features/features.safetensors",
    output:
        descriptions="<results>/{model}/describe/{split}/seed{seed}/descriptions.csv",
        beams="<results>/{model}/describe/{split}/seed{seed}/beams.safetensors",
        baselines="<results>/{model}/describe/{split}/seed{seed}/baselines.csv",
        provenance="<results>/{model}/describe/{split}/seed{seed}/provenance.json",
    log:
        "<logs>/{model}/describe/{split}-seed{seed}.log",
    benchmark:
        "<benchmarks>/{model}/describe/{split}-seed{seed}.tsv"
    wildcard_constraints:
        model=DESCRIBABLE,
    priority: 5
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        gpu=gpus,
        mem="8GB",
    params:
        options=canonical(captioner_plan.decoding(CONFIG)),
        device=CONFIG.device,
        code=code_version("describe"),
    shell:
        "milan --log {log} describe units --model {wildcards.model} --captioner {input.captioner[0]}"
        " --features {input.features} --options {params.options:q} --device {params.device}"
        " --threads {threads} --out {output.descriptions}"


rule describe_table:
    input:
        descriptions=published("descriptions.csv"),
        within=within,
    output:
        report(
            "<results>/{model}/descriptions.csv",
            caption="../report/descriptions.rst",
            category="describe",
            subcategory="{model}",
            labels={"model": "{model}", "kind": "table"},
        ),
    log:
        "<logs>/{model}/describe/table.log",
    wildcard_constraints:
        model=DESCRIBABLE,
    localrule: True
    conda:
        "../../envs/milan.yaml"
    params:
        code=code_version("describe"),
    shell:
        "milan --log {log} describe table --descriptions {input.descriptions} --within {input.within}"
        " --out {output}"


rule describe:
    input:
        collect("<results>/{model}/descriptions.csv", model=CONFIG.models),
    localrule: True
