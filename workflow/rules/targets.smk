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
