# The referee: held-out scores of every description.
from milan_core.referee import plan as referee_plan

MINI = referee_plan.mini_judge(CONFIG)


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
        device=CONFIG.device,
        gpu=gpus,
        mem="8GB",
    params:
        model=job_network,
        pools=canonical(referee_plan.pools(CONFIG)),
        mode=CONFIG.exemplars.mode,
        code=step_code("referee.table"),
    shell:
        command("referee.table")


rule referee_train_judge:
    input:
        weights=network_plan.weights_file(CONFIG, MINI.encoder) or [] if MINI else [],
        dataset=dataset_folder(MINI.dataset) if MINI else [],
        text=asset_folder(MINI.text) if MINI else [],
    output:
        judge=directory("<results>/judge"),
    log:
        "<logs>/judge.log",
    benchmark:
        "<benchmarks>/judge.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem="4GB",
    params:
        encoder=canonical(referee_plan.mini_encoder(CONFIG)),
        options=canonical(referee_plan.mini_training(CONFIG)),
        seed=CONFIG.seed,
        code=step_code("referee.train_judge"),
    shell:
        command("referee.train_judge")
