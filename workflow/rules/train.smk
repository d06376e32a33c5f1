# Captioners: p(d|E) and p(d), trained on the annotated units of a split.
from milan_core.captioner import plan as captioner_plan


rule captioner_train:
    input:
        features=split_inputs("features/features.safetensors"),
        annotations=split_inputs("annotations/annotations.csv"),
    output:
        config="<results>/captioners/{split}/seed{seed}/config.json",
        weights="<results>/captioners/{split}/seed{seed}/weights.safetensors",
        history="<results>/captioners/{split}/seed{seed}/history.csv",
        units="<results>/captioners/{split}/seed{seed}/units.csv",
    log:
        "<logs>/captioners/{split}-seed{seed}.log",
    benchmark:
        "<benchmarks>/captioners/{split}-seed{seed}.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        gpu=gpus,
        mem="8GB",
        runtime="12h",
    params:
        split=split_spec,
        settings=captioner_settings,
        encoder=encoder_spec,
        pooling=options("encoder", include={"append_area", "resize"}),
        device=CONFIG.device,
        code=code_version("captioner"),
    shell:
        "milan --log {log} captioner train --split {params.split:q} --settings {params.settings:q}"
        " --encoder {params.encoder:q} --pooling {params.pooling:q}"
        " --features {input.features} --annotations {input.annotations} --seed {wildcards.seed}"
        " --device {params.device} --threads {threads} --out {output.config}"


rule captioner_histories:
    input:
        captioner_histories,
    output:
        figure="<results>/captioners/history.svg",
        table="<results>/captioners/training.csv",
        section="<results>/captioners/section.json",
    log:
        "<logs>/captioners/histories.log",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem="2GB",
    params:
        code=code_version("histories"),
    shell:
        "milan --log {log} captioner histories --history {input} --out {output.section}"
