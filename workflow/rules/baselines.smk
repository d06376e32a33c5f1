# Baselines: other methods on the same exemplars and splits (paper Table 2).
from milan_core.experiments.baselines import plan as baseline_plan

COMPARED = baseline_plan.compared(CONFIG)
LABELED = [*baseline_plan.labeled(CONFIG), *baseline_plan.labeled_sets(CONFIG)]
KNOWN = [t.test for t in COMPARED if t.test in NETWORKS]  # with ground truth


def trial_labels(wildcards):
    """The labels of the network that a trial is tested on."""
    model = wildcards.model
    return f"{RESULTS}/{model}/labels/labels.csv" if model in LABELED else []


def trial_tables(wildcards):
    """Texts of variants of a trial's captioner, and of the pool over its beams, by name."""
    return baseline_plan.compared_tables(
        CONFIG, wildcards.model, wildcards.split, int(wildcards.seed)
    )


rule baselines_score:
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
        features="<results>/{model}/features/features.safetensors",
        train_features=train_features,
        labels=trial_labels,
        tables=lambda wildcards: [
            f"{RESULTS}/{table}" for table in trial_tables(wildcards).values()
        ],
    output:
        scores="<results>/baselines/{split}/{model}/seed{seed}/scores.csv",
        units="<results>/baselines/{split}/{model}/seed{seed}/units.csv",
        facts="<results>/baselines/{split}/{model}/seed{seed}/facts.json",
        record="<results>/baselines/{split}/{model}/seed{seed}/provenance.json",
    log:
        "<logs>/baselines/{split}-{model}-seed{seed}.log",
    benchmark:
        "<benchmarks>/baselines/{split}-{model}-seed{seed}.tsv"
    wildcard_constraints:
        model=DESCRIBABLE,
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem=memory(4),
    params:
        trained_on=trained_on,
        options=canonical(generalization_plan.score_options(CONFIG)),
        seed=CONFIG.seed,
        model="{model}",
        named=lambda wildcards: canonical(list(trial_tables(wildcards))),
        code=step_code("baselines.score"),
    shell:
        command("baselines.score")


rule baselines_table:
    input:
        scores=of_trials(
            "<results>/generalization/{split}/{test}/seed{seed}/scores.csv", COMPARED
        ),
        methods=of_trials(
            "<results>/baselines/{split}/{test}/seed{seed}/scores.csv", COMPARED
        ),
        units=of_trials(
            "<results>/baselines/{split}/{test}/seed{seed}/units.csv", COMPARED
        ),
        facts=of_trials(
            "<results>/baselines/{split}/{test}/seed{seed}/facts.json", COMPARED
        ),
    output:
        table=report(
            "<results>/baselines/table.csv",
            caption="../report/baselines.rst",
            category="baselines",
            labels={"kind": "table"},
        ),
        summary="<results>/baselines/summary.csv",
        table2="<results>/baselines/table2.csv",
        accuracy=["<results>/baselines/accuracy.svg"] if KNOWN else [],
        bertscore=(
            ["<results>/baselines/bertscore.svg"]
            if CONFIG.generalization.bertscore
            else []
        ),
        section="<results>/baselines/section.json",
        record="<results>/baselines/provenance.json",
    log:
        "<logs>/baselines/table.log",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem=memory(2),
    params:
        trials=canonical(COMPARED),
        evidence=canonical(baseline_plan.evidence(CONFIG)),
        encoder=canonical(generalization_plan.encoder_facts(CONFIG)),
        seed=CONFIG.seed,
        code=step_code("baselines.table"),
    shell:
        command("baselines.table")


rule baselines:
    input:
        collect(
            "<results>/baselines/{file}",
            file=(
                ["table.csv", "summary.csv", "table2.csv", "section.json"]
                if COMPARED
                else []
            ),
        ),
    localrule: True
