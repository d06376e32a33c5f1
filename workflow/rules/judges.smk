# Judges: their training, what they see in the images, and the choice of alpha.

MINI = referee_plan.mini_judge(CONFIG)
CHOOSING = referee_plan.choosing(CONFIG)
CHOOSING_ON = list(dict.fromkeys(CONFIG.model_zoo[name].dataset for name in CHOOSING))
CHOOSER = getattr(referee_plan.alpha_judge(CONFIG), "kind", "oracle")


def referee_trained(wildcards):
    """The folder of a judge that is trained here."""
    return referee_plan.judge_folder(CONFIG) if wildcards.judge == "mini" else []


def referee_seen(wildcards):
    """The file of the trained judge for the images that score a network."""
    dataset = referee_plan.scored_dataset(CONFIG, wildcards.model)
    seen = f"{RESULTS}/referee/{wildcards.judge}/{dataset}.safetensors"
    return seen if wildcards.judge == "mini" else []


def judge_module(wildcards):
    """The module of a judge, which is imported by name."""
    return f"referee.judges.{wildcards.judge}"


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
        mem=memory(4),
    params:
        encoder=canonical(referee_plan.mini_encoder(CONFIG)),
        options=canonical(referee_plan.mini_training(CONFIG)),
        seed=CONFIG.seed,
        code=step_code("referee.train_judge"),
    shell:
        command("referee.train_judge")


rule referee_look:
    input:
        trained=referee_trained,
        dataset="<resources>/datasets/{dataset}",
    output:
        seen="<results>/referee/{judge}/{dataset}.safetensors",
        record="<results>/referee/{judge}/{dataset}.provenance.json",
    log:
        "<logs>/referee/{judge}/{dataset}.log",
    benchmark:
        "<benchmarks>/referee/{judge}/{dataset}.tsv"
    wildcard_constraints:
        judge="mini",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(4),
    params:
        judge=lambda wildcards: canonical(
            referee_plan.judge_options(CONFIG, wildcards.judge)
        ),
        code=lambda wildcards: step_code("referee.look", judge_module(wildcards)),
    shell:
        command("referee.look")


rule referee_choose_alpha:
    input:
        tables=[
            f"{RESULTS}/{name}/exemplars/activations.safetensors" for name in CHOOSING
        ],
        scored_on=[
            f"{RESULTS}/{referee_plan.scored_table(CONFIG, name)}" for name in CHOOSING
        ],
        descriptions=[published_file(name, "descriptions.csv") for name in CHOOSING],
        folders=[dataset_folder(name) for name in CHOOSING_ON],
        trained=referee_plan.judge_folder(CONFIG) if CHOOSER == "mini" else [],
        seen=(
            [f"{RESULTS}/referee/mini/{name}.safetensors" for name in CHOOSING_ON]
            if CHOOSER == "mini"
            else []
        ),
    output:
        alpha="<results>/referee/alpha.json",
        record="<results>/referee/alpha.provenance.json",
    log:
        "<logs>/referee/alpha.log",
    benchmark:
        "<benchmarks>/referee/alpha.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(4),
    params:
        judge=canonical(referee_plan.alpha_judge(CONFIG)),
        seed=CONFIG.seed,
        code=step_code("referee.choose_alpha", f"referee.judges.{CHOOSER}"),
    shell:
        command("referee.choose_alpha")
