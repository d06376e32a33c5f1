# The referee: held-out scores of every description.
from milan_core.referee import plan as referee_plan


rule referee_table:
    input:
        weights=model_weights,
        dataset=lambda wildcards: dataset_folder(
            exemplars_plan.heldout_dataset(CONFIG, wildcards.model)
        ),
    output:
        table="<results>/{model}/referee/activations.safetensors",
        record="<results>/{model}/referee/activations.provenance.json",
    log:
        "<logs>/{model}/referee/activations.log",
    benchmark:
        "<benchmarks>/{model}/referee/activations.tsv"
    wildcard_constraints:
        model=one_of(referee_plan.held_apart(CONFIG)),
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        gpu=gpus,
        mem="8GB",
    params:
        model=job_network,
        pools=canonical(referee_plan.pools(CONFIG)),
        mode=CONFIG.exemplars.mode,
        device=CONFIG.device,
        network=network_source,
        code=step_code("referee.table"),
    shell:
        command("referee.table")
