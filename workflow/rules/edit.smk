rule edit_network:
    input:
        weights=model_weights,
        reference=edit_reference,
        descriptions="<results>/{model}/descriptions.csv",
        exemplars="<results>/{model}/exemplars/exemplars.safetensors",
        truth=edit_truth,
        train=edit_training,
        datasets=edit_datasets,
    output:
        result="<results>/{model}/edit/result.json",
        curves="<results>/{model}/edit/curves.csv",
        units="<results>/{model}/edit/units.csv",
    log:
        "<logs>/{model}/edit.log",
    benchmark:
        "<benchmarks>/{model}/edit.tsv"
    priority: 8
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        gpu=gpus,
        mem="8GB",
        runtime="12h",
    params:
        model=model_spec,
        options=lambda wildcards: plan.edit_params(CONFIG, wildcards.model),
        truth=lambda wildcards, input: f"--truth {input.truth}" if input.truth else "",
        train=lambda wildcards, input: f"--train {input.train}" if input.train else "",
        reference=lambda wildcards, input: (
            f"--reference {input.reference}" if input.reference else ""
        ),
        seed=CONFIG.seed,
        device=CONFIG.device,
        network=network_source,
        code=code_version("edit"),
    shell:
        "milan --log {log} edit network --model {params.model:q} {params.truth}"
        " {params.train} {params.reference}"
        " --descriptions {input.descriptions} --exemplars {input.exemplars}"
        " --datasets {input.datasets} --options {params.options:q} --seed {params.seed}"
        " --device {params.device} --threads {threads} --out {output.result}"


rule edit_table:
    input:
        [f"<results>/{name}/edit/result.json" for name in plan.edited(CONFIG)],
        [f"<results>/{name}/edit/curves.csv" for name in plan.edited(CONFIG)],
    output:
        curves=report(
            "<results>/edit/curves.csv",
            caption="../report/edit.rst",
            category="edit",
            labels={"kind": "table"},
        ),
        summary="<results>/edit/summary.json",
        table="<results>/edit/summary.csv",
        figure="<results>/edit/curves.svg",
        section="<results>/edit/section.json",
    log:
        "<logs>/edit/table.log",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    params:
        results=lambda wildcards, input: [
            path for path in input if path.endswith(".json")
        ],
        code=code_version("edit"),
    shell:
        "milan --log {log} edit table --results {params.results:q} --out {output.curves}"


rule edit:
    input:
        "<results>/edit/section.json" if CONFIG.edit else [],
    localrule: True
