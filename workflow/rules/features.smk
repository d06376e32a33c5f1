rule features_encode:
    input:
        weights=encoder_weights,
        dataset="<resources>/datasets/{dataset}",
    output:
        "<results>/encoder/{dataset}/encoded.json",
    log:
        "<logs>/encoder/{dataset}.log",
    benchmark:
        "<benchmarks>/encoder/{dataset}.tsv"
    priority: 5
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        gpu=gpus,
        mem="8GB",
        runtime="4h",
    params:
        encoder=encoder_spec,
        device=CONFIG.device,
        network=plan.factory_version(CONFIG, CONFIG.encoder.model),
        code=code_version("features"),
    shell:
        "milan --log {log} features encode --encoder {params.encoder:q} --dataset {input.dataset}"
        " --device {params.device} --threads {threads} --out {output}"


rule features_pool:
    input:
        maps=probe_maps,
        exemplars="<results>/{model}/exemplars/exemplars.safetensors",
        dataset=probe_manifest,
    output:
        "<results>/{model}/features/features.safetensors",
    log:
        "<logs>/{model}/features.log",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem="8GB",
    params:
        options=options("encoder", include={"append_area", "resize"}),
        encoder=encoder_spec,
        device=CONFIG.device,
        seed=CONFIG.seed,
        code=code_version("features"),
    shell:
        "milan --log {log} features pool --maps {input.maps} --exemplars {input.exemplars}"
        " --dataset {input.dataset} --options {params.options:q} --encoder {params.encoder:q}"
        " --seed {params.seed} --device {params.device} --threads {threads} --out {output}"
