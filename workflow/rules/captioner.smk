# Captioners: p(d|E) and p(d), trained on the annotated units of a split.
from milan_core.captioner import plan as captioner_plan
from milan_core.captioner.options import CAPTIONER_FILES, TrainedOn
from milan_core.plan import trained as trained_plan

TRAININGS = captioner_plan.trainings(CONFIG)


def captioner_folder(training):
    """The folder of one captioner, here or in the run whose trained captioners are used."""
    return trained_plan.captioner_folder(CONFIG, training)


def captioner_files(*names):
    """An input function: files of the captioner of a split and a seed."""

    def files(wildcards):
        training = TrainedOn(split=wildcards.split, seed=int(wildcards.seed))
        return [f"{captioner_folder(training)}/{name}" for name in names]

    return files


def split_inputs(kind):
    """An input function: one file of every network that the split is trained on."""

    def files(wildcards):
        split = captioner_plan.training_split(CONFIG, wildcards.split)
        return [f"{RESULTS}/{name}/{kind}" for name in split.train]

    return files


def counted_like(wildcards):
    """The units of the captioner whose number of training units is taken over, if any."""
    other = captioner_plan.counted_like(CONFIG, wildcards.split)
    return f"{captioner_folder(other)}/units.csv" if other else []


def published_captioner(*names):
    """An input function: files of the captioner whose descriptions of the network are published."""

    def files(wildcards):
        split = splits_plan.primary_split(CONFIG, wildcards.model)
        folder = captioner_folder(captioner_plan.published_training(CONFIG, split))
        return [f"{folder}/{name}" for name in names]

    return files


def whole_corpus_captioner(wildcards):
    """The captioner for networks of the user's own; the report waits so that it is there."""
    folder = captioner_folder(captioner_plan.published_training(CONFIG, "all"))
    return [f"{folder}/{name}" for name in CAPTIONER_FILES]


rule captioner_train:
    input:
        features=split_inputs("features/features.safetensors"),
        annotations=split_inputs("annotations/annotations.csv"),
        like=counted_like,
    output:
        config="<results>/captioners/{split}/seed{seed}/config.json",
        vocabulary="<results>/captioners/{split}/seed{seed}/vocabulary.json",
        weights="<results>/captioners/{split}/seed{seed}/weights.safetensors",
        history="<results>/captioners/{split}/seed{seed}/history.csv",
        domain="<results>/captioners/{split}/seed{seed}/domain.safetensors",
        units="<results>/captioners/{split}/seed{seed}/units.csv",
        record="<results>/captioners/{split}/seed{seed}/provenance.json",
    log:
        "<logs>/captioners/{split}-seed{seed}.log",
    benchmark:
        "<benchmarks>/captioners/{split}-seed{seed}.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(8),
        runtime="12h",
    params:
        split=lambda wildcards: canonical(
            captioner_plan.training_split(CONFIG, wildcards.split)
        ),
        options=lambda wildcards: canonical(
            captioner_plan.captioner_settings(CONFIG, wildcards.split)
        ),
        encoder=ENCODER,
        seed=lambda wildcards: int(wildcards.seed),
        code=step_code("captioner.train"),
    shell:
        command("captioner.train")


rule captioner_histories:
    input:
        histories=[
            f"{captioner_folder(training)}/history.csv" for training in TRAININGS
        ],
    output:
        figure="<results>/captioners/history.svg",
        table="<results>/captioners/training.csv",
        section="<results>/captioners/section.json",
        record="<results>/captioners/provenance.json",
    log:
        "<logs>/captioners/histories.log",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem=memory(2),
    params:
        trainings=canonical(TRAININGS),
        code=step_code("captioner.histories"),
    shell:
        command("captioner.histories")
