# Annotations of mined networks by programs.


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
        mem=memory(4),
    params:
        model="{model}",
        seed=CONFIG.seed,
        code=step_code("annotations.write"),
    shell:
        command("annotations.write")
