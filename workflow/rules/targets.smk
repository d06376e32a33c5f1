rule datasets_build:
    input:
        assets=dataset_assets,
    output:
        directory("<resources>/datasets/{dataset}"),
    log:
        "<logs>/datasets/{dataset}.log",
    benchmark:
        "<benchmarks>/datasets/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(
            name for name in CONFIG.dataset_zoo if name not in (*GENERATED, *LATENTS)
        ),
    conda:
        "../../envs/milan.yaml"
    threads: decoding_threads
    resources:
        mem="4GB",
    params:
        spec=dataset_spec,
        images=user_images,
        code=code_version("datasets"),
    shell:
        "milan --log {log} datasets build --name {wildcards.dataset} --spec {params.spec:q}"
        " --assets {input.assets} --threads {threads} --out {output}"


rule datasets_generate:
    input:
        scenes=generator_scenes,
        weights=generator_weights,
    output:
        directory("<resources>/datasets/{dataset}"),
    log:
        "<logs>/datasets/{dataset}.log",
    benchmark:
        "<benchmarks>/datasets/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(GENERATED),
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        gpu=gpus,
        mem="4GB",
    params:
        model=generator_spec,
        device=CONFIG.device,
        code=code_version("generated"),
    shell:
        "milan --log {log} datasets generate --name {wildcards.dataset} --model {params.model:q}"
        " --scenes {input.scenes} --device {params.device} --threads {threads} --out {output}"


rule datasets_latents:
    input:
        weights=generator_weights,
    output:
        directory("<resources>/datasets/{dataset}"),
    log:
        "<logs>/datasets/{dataset}.log",
    benchmark:
        "<benchmarks>/datasets/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(LATENTS),
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        gpu=gpus,
        mem="8GB",
    params:
        spec=dataset_spec,
        model=generator_spec,
        device=CONFIG.device,
        code=code_version("latents"),
    shell:
        "milan --log {log} datasets latents --name {wildcards.dataset} --spec {params.spec:q}"
        " --model {params.model:q} --device {params.device} --threads {threads} --out {output}"


rule targets_train:
    input:
        datasets=training_manifests,
        teacher=teacher_weights,
    output:
        weights="<results>/{model}/target/weights.safetensors",
        history="<results>/{model}/target/training.csv",
        accuracy="<results>/{model}/target/accuracy.csv",
    log:
        "<logs>/{model}/target.log",
    benchmark:
        "<benchmarks>/{model}/target.tsv"
    priority: 10
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        gpu=gpus,
        mem="4GB",
    params:
        spec=training_spec,
        seed=training_seed,
        device=CONFIG.device,
        network=network_source,
        code=code_version("targets"),
    shell:
        "milan --log {log} models train --model {params.spec:q} --name {wildcards.model} --datasets {input.datasets}"
        " --seed {params.seed} --device {params.device} --threads {threads}"
        " --out {output.weights}"
