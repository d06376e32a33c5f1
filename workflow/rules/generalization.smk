# Generalization: scores within, without and across networks (paper section 4, Table 3).
from milan_core.experiments.generalization import plan as generalization_plan

JUDGED = splits_plan.judged(CONFIG)  # described networks with ground truth


def trial_file(kind):
    """An input function: a file of the descriptions of one trial."""

    def path(wildcards):
        folder = f"{RESULTS}/{wildcards.model}/describe/{wildcards.split}"
        return f"{folder}/seed{wildcards.seed}/{kind}"

    return path


def known_truth(wildcards):
    """Ground truth of a described network; annotation sets have none."""
    if wildcards.model in CONFIG.annotation_sets:
        return []
    return f"{RESULTS}/{wildcards.model}/annotations/truth.csv"


def captioner_split(wildcards):
    """The split of the trial, or else the one whose descriptions are published."""
    return getattr(
        wildcards, "split", splits_plan.primary_split(CONFIG, wildcards.model)
    )


def trained_on(wildcards):
    """Canonical JSON of the networks and sets that the captioner was trained on."""
    return canonical(generalization_plan.trained_on(CONFIG, captioner_split(wildcards)))


def training_files(split, names, kind):
    """One file of every network that a split learned from, of the run that trained it."""
    return [trained_plan.training_file(CONFIG, split, name, kind) for name in names]


def train_annotations(wildcards):
    """Annotations of what the captioner was trained on."""
    sources = generalization_plan.trained_on(CONFIG, captioner_split(wildcards))
    kind = "annotations/annotations.csv"
    return training_files(captioner_split(wildcards), sources.names, kind)


def train_truth(wildcards):
    """Ground truth of what the captioner was trained on, where it is known."""
    sources = generalization_plan.trained_on(CONFIG, captioner_split(wildcards))
    kind = "annotations/truth.csv"
    return training_files(captioner_split(wildcards), sources.with_truth, kind)


def train_features(wildcards):
    """Features of what the captioner was trained on."""
    sources = generalization_plan.trained_on(CONFIG, captioner_split(wildcards))
    kind = "features/features.safetensors"
    return training_files(captioner_split(wildcards), sources.names, kind)


def bertscore_asset(wildcards):
    """The text encoder of BERTScore, when the configuration names one."""
    return asset_folder(CONFIG.generalization.bertscore)


def of_trials(path, trials=TRIALS):
    """One file of every trial: `path` with the fields of `TrialFacts`."""
    return [path.format(**dict(facts)) for facts in trials]


rule generalization_score:
    input:
        annotations="<results>/{model}/annotations/annotations.csv",
        truth=known_truth,
        captioner_units=captioner_files("units.csv"),
        train_annotations=train_annotations,
        train_truth=train_truth,
        bertscore=bertscore_asset,
        descriptions=trial_file("descriptions.csv"),
        beams=trial_file("beams.safetensors"),
        baselines=trial_file("baselines.csv"),
    output:
        scores="<results>/generalization/{split}/{model}/seed{seed}/scores.csv",
        sweep="<results>/generalization/{split}/{model}/seed{seed}/lambda.csv",
        record="<results>/generalization/{split}/{model}/seed{seed}/provenance.json",
    log:
        "<logs>/generalization/{split}-{model}-seed{seed}.log",
    benchmark:
        "<benchmarks>/generalization/{split}-{model}-seed{seed}.tsv"
    wildcard_constraints:
        model=DESCRIBABLE,
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem=memory(4),
    params:
        trained_on=trained_on,
        options=canonical(generalization_plan.trial_options(CONFIG)),
        seed=CONFIG.seed,
        code=step_code("generalization.score"),
    shell:
        command("generalization.score")


def trained_networks(split):
    """Networks of this run that a split is trained on; sets have no exemplars of their own."""
    names = generalization_plan.trained_on(CONFIG, split).names
    return [name for name in names if name not in CONFIG.annotation_sets]


def first_descriptions(wildcards):
    """Descriptions by the first captioner of a split."""
    first = captioner_plan.published_training(CONFIG, wildcards.split)
    folder = f"{RESULTS}/{wildcards.model}/describe/{wildcards.split}"
    return f"{folder}/seed{first.seed}/descriptions.csv"


def first_captioner_units(wildcards):
    """Units that the first captioner of a split learned from, of the run that trained it."""
    first = captioner_plan.published_training(CONFIG, wildcards.split)
    return f"{captioner_folder(first)}/units.csv"


OVERLAPPED = list(
    dict.fromkeys((facts.split, facts.test) for facts in TRIALS if facts.test in JUDGED)
)


rule generalization_overlap:
    input:
        descriptions=first_descriptions,
        captioner_units=first_captioner_units,
        exemplars="<results>/{model}/exemplars/exemplars.safetensors",
        train_exemplars=lambda wildcards: training_files(
            wildcards.split,
            trained_networks(wildcards.split),
            "exemplars/exemplars.safetensors",
        ),
    output:
        overlap="<results>/generalization/{split}/{model}/overlap.csv",
        record="<results>/generalization/{split}/{model}/overlap.provenance.json",
    log:
        "<logs>/generalization/{split}-{model}-overlap.log",
    wildcard_constraints:
        model=DESCRIBABLE,
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem=memory(4),
    params:
        model=lambda wildcards: wildcards.model,
        names=lambda wildcards: canonical(trained_networks(wildcards.split)),
        code=step_code("generalization.overlap"),
    shell:
        command("generalization.overlap")


rule generalization_table:
    input:
        scores=of_trials(
            "<results>/generalization/{split}/{test}/seed{seed}/scores.csv"
        ),
        sweeps=of_trials(
            "<results>/generalization/{split}/{test}/seed{seed}/lambda.csv"
        ),
        descriptions=of_trials(
            "<results>/{test}/describe/{split}/seed{seed}/descriptions.csv"
        ),
        truth=collect("<results>/{model}/annotations/truth.csv", model=JUDGED),
        overlaps=[
            f"{RESULTS}/generalization/{split}/{test}/overlap.csv"
            for split, test in OVERLAPPED
        ],
    output:
        table=report(
            "<results>/generalization/table.csv",
            caption="../report/generalization.rst",
            category="generalization",
            labels={"kind": "table"},
        ),
        summary="<results>/generalization/summary.csv",
        sweep="<results>/generalization/lambda.csv",
        sweep_figure="<results>/generalization/lambda.svg",
        table3="<results>/generalization/table3.csv",
        transfer="<results>/generalization/transfer.csv",
        paired="<results>/generalization/paired.csv",
        overlap="<results>/generalization/overlap.csv",
        masks="<results>/generalization/masks.csv",
        layers="<results>/generalization/layers.csv",
        transfer_figure="<results>/generalization/transfer.svg",
        layers_figure="<results>/generalization/layers.svg",
        section="<results>/generalization/section.json",
        record="<results>/generalization/provenance.json",
    log:
        "<logs>/generalization/table.log",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem=memory(2),
    params:
        trials=canonical(TRIALS),
        judged=canonical(JUDGED),
        overlapped=canonical(OVERLAPPED),
        temperature=CONFIG.describe.temperature,
        encoder=canonical(generalization_plan.encoder_facts(CONFIG)),
        options=canonical(generalization_plan.score_options(CONFIG)),
        seed=CONFIG.seed,
        code=step_code("generalization.table"),
    shell:
        command("generalization.table")


rule generalization:
    input:
        collect(
            "<results>/generalization/{file}",
            file=(
                [
                    "table.csv",
                    "summary.csv",
                    "lambda.csv",
                    "lambda.svg",
                    "section.json",
                ]
                if TRIALS
                else []
            ),
        ),
    localrule: True
