rule exemplars_scan:
    input:
        weights=model_weights,
        dataset=probe_manifest,
    output:
        "<results>/{model}/exemplars/shards/{part}-of-{parts}.safetensors",
    log:
        "<logs>/{model}/exemplars/{part}-of-{parts}.log",
    benchmark:
        "<benchmarks>/{model}/exemplars/{part}-of-{parts}.tsv"
    wildcard_constraints:
        part=r"\d+",
        parts=r"\d+",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        gpu=gpus,
        mem="8GB",
        runtime="4h",
    params:
        model=model_spec,
        options=mining_options,
        device=CONFIG.device,
        network=network_source,
        code=code_version("exemplars"),
    shell:
        "milan --log {log} exemplars scan --model {params.model:q} --dataset {input.dataset}"
        " --options {params.options:q} --shard {wildcards.part}-of-{wildcards.parts}"
        " --device {params.device} --threads {threads} --out {output}"


rule exemplars_merge:
    input:
        shard_files,
    output:
        "<results>/{model}/exemplars/exemplars.safetensors",
    log:
        "<logs>/{model}/exemplars/merge.log",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem="8GB",
    params:
        code=code_version("exemplars"),
    shell:
        "milan --log {log} exemplars merge --shards {input} --out {output}"


rule exemplars:
    input:
        collect("<results>/{model}/exemplars/exemplars.safetensors", model=NETWORKS),
    localrule: True
