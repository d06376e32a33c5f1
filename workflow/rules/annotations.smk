# Annotations of mined networks by programs, and sets of annotations from files.


rule annotations_write:
    input:
        exemplars="<results>/{model}/exemplars/exemplars.safetensors",
        dataset=probe_manifest,
    output:
        annotations="<results>/{model}/annotations/annotations.csv",
        truth="<results>/{model}/annotations/truth.csv",
        record="<results>/{model}/annotations/provenance.json",
    log:
        "<logs>/{model}/annotations.log",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem="4GB",
    params:
        model="{model}",
        seed=CONFIG.seed,
        code=step_code("annotations.write"),
    shell:
        command("annotations.write")


rule annotations_encode:
    input:
        weights=encoder_weights,
    output:
        features="<results>/{annotation_set}/features/features.safetensors",
        annotations="<results>/{annotation_set}/annotations/annotations.csv",
    log:
        "<logs>/{annotation_set}/encode.log",
    benchmark:
        "<benchmarks>/{annotation_set}/encode.tsv"
    priority: 5
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        gpu=gpus,
        mem="8GB",
        runtime="12h",
    params:
        spec=annotation_set_spec,
        files=annotation_set_files,
        encoder=encoder_spec,
        options=options("encoder", include={"append_area", "resize"}),
        device=CONFIG.device,
        network=plan.factory_version(CONFIG, CONFIG.encoder.model),
        code=code_version("annotation_sets"),
    shell:
        "milan --log {log} annotations encode --spec {params.spec:q} --encoder {params.encoder:q}"
        " --options {params.options:q} --device {params.device} --threads {threads}"
        " --out {output.features} --annotations {output.annotations}"
