# Status and confidence of every unit: which descriptions are reliable.
from milan_core.describers.abstention.options import SHIPPED

MEASURED = abstention_plan.measured(CONFIG)


def deciding(wildcards):
    """Evidence of the network and of those that decide on it."""
    names = abstention_plan.deciding(CONFIG, wildcards.model)
    return [f"{RESULTS}/{name}/abstention/evidence.csv" for name in names]


def abstaining(wildcards):
    """The status of every unit, of networks that have one."""
    decisions = f"{RESULTS}/{wildcards.model}/abstention/decisions.csv"
    return decisions if wildcards.model in MEASURED else []


def abstention_seen(wildcards):
    """What the judge sees in the images that score a network."""
    dataset = referee_plan.scored_dataset(CONFIG, wildcards.model)
    return f"{RESULTS}/referee/{abstention_plan.JUDGE}/{dataset}.safetensors"


def abstention_truth(wildcards):
    """The concepts of the units, of the random network too: its answers must be right as well."""
    truth = f"{RESULTS}/{wildcards.model}/annotations/truth.csv"
    return truth if abstention_plan.has_truth(CONFIG, wildcards.model) else []


rule abstention_measure:
    input:
        ranking="<results>/{model}/pool/ranking.csv",
        table=referee_activations,
        dataset=lambda wildcards: dataset_folder(
            referee_plan.scored_dataset(CONFIG, wildcards.model)
        ),
        truth=abstention_truth,
        trained=referee_plan.judge_folder(CONFIG) if MEASURED else [],
        seen=abstention_seen,
    output:
        evidence="<results>/{model}/abstention/evidence.csv",
        record="<results>/{model}/abstention/evidence.provenance.json",
    log:
        "<logs>/{model}/abstention/evidence.log",
    benchmark:
        "<benchmarks>/{model}/abstention/evidence.tsv"
    wildcard_constraints:
        model=one_of(MEASURED),
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(4),
    params:
        judge=canonical(MINI),
        scoring=canonical(referee_plan.scoring_options(CONFIG)),
        seed=CONFIG.seed,
        code=step_code("abstention.measure", "referee.judges.mini"),
    shell:
        command("abstention.measure")


rule abstention_decide:
    input:
        evidence=deciding,
        descriptions="<results>/{model}/pool/descriptions.csv",
        shipped=local(str(SHIPPED)),
    output:
        decisions="<results>/{model}/abstention/decisions.csv",
        record="<results>/{model}/abstention/provenance.json",
    log:
        "<logs>/{model}/abstention/decisions.log",
    wildcard_constraints:
        model=one_of(MEASURED),
    localrule: True
    conda:
        "../../envs/milan.yaml"
    resources:
        mem=memory(2),
    params:
        model="{model}",
        networks=lambda wildcards: canonical(
            abstention_plan.deciding(CONFIG, wildcards.model)
        ),
        options=canonical(CONFIG.abstention),
        code=step_code("abstention.decide"),
    shell:
        command("abstention.decide")


rule abstention_table:
    input:
        evidence=collect("<results>/{model}/abstention/evidence.csv", model=MEASURED),
        descriptions=collect("<results>/{model}/pool/descriptions.csv", model=MEASURED),
        shipped=local(str(SHIPPED)),
    output:
        summary=report(
            "<results>/abstention/summary.csv",
            caption="../report/abstention.rst",
            category="abstention",
            labels={"kind": "table"},
        ),
        coverage="<results>/abstention/coverage.csv",
        calibration="<results>/abstention/calibration.json",
        section="<results>/abstention/section.json",
        record="<results>/abstention/provenance.json",
    log:
        "<logs>/abstention.log",
    localrule: True
    conda:
        "../../envs/milan.yaml"
    resources:
        mem=memory(2),
    params:
        networks=canonical(MEASURED),
        images=canonical(abstention_plan.tested_on(CONFIG)),
        options=canonical(abstention_plan.table_options(CONFIG)),
        code=step_code("abstention.table"),
    shell:
        command("abstention.table")


rule abstention:
    input:
        "<results>/abstention/section.json" if MEASURED else [],
    localrule: True
