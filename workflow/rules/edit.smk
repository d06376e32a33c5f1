# Editing: units that read a spurious cue are ablated (paper section 7).
from milan_core.experiments.audit import plan as audit_plan
from milan_core.experiments.edit import plan as edit_plan

EDITED = edit_plan.edited(CONFIG)


def edit_datasets(wildcards):
    """Data sets of the trial; counterfactual pairs may name one twice."""
    trial = edit_plan.edit_trial(CONFIG, wildcards.model)
    return [dataset_folder(name) for name in trial.datasets().values()]


def edit_truth(wildcards):
    """Ground truth of the edited network, where its probe images have it."""
    truth = f"{RESULTS}/{wildcards.model}/annotations/truth.csv"
    return truth if audit_plan.has_truth(CONFIG, wildcards.model) else []


def edit_training(wildcards):
    """Images that the network was trained on, when its head is trained again."""
    if edit_plan.edit_options(CONFIG).fine_tune is None:
        return []
    return dataset_folder(network_plan.trained(CONFIG, wildcards.model).dataset)


def edit_reference(wildcards):
    """Accuracies of the network that was trained without the spurious cue."""
    name = edit_plan.edit_trial(CONFIG, wildcards.model).reference
    return f"{target_folder(name)}/accuracy.csv" if name else []


rule edit_network:
    input:
        weights=model_weights,
        descriptions="<results>/{model}/descriptions.csv",
        exemplars="<results>/{model}/exemplars/exemplars.safetensors",
        truth=edit_truth,
        datasets=edit_datasets,
        train=edit_training,
        reference=edit_reference,
    output:
        result="<results>/{model}/edit/result.json",
        curves="<results>/{model}/edit/curves.csv",
        units="<results>/{model}/edit/units.csv",
        record="<results>/{model}/edit/provenance.json",
    log:
        "<logs>/{model}/edit.log",
    benchmark:
        "<benchmarks>/{model}/edit.tsv"
    priority: 8
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(8),
        runtime="12h",
    params:
        model=job_network,
        trial=lambda wildcards: canonical(edit_plan.edit_trial(CONFIG, wildcards.model)),
        query=lambda wildcards: canonical(edit_plan.edit_query(CONFIG)),
        options=lambda wildcards: canonical(edit_plan.edit_options(CONFIG)),
        seed=CONFIG.seed,
        code=step_code("edit.network"),
    shell:
        command("edit.network")


rule edit_table:
    input:
        results=collect("<results>/{model}/edit/result.json", model=EDITED),
        network_curves=collect("<results>/{model}/edit/curves.csv", model=EDITED),
    output:
        curves=report(
            "<results>/edit/curves.csv",
            caption="../report/edit.rst",
            category="edit",
            labels={"kind": "table"},
        ),
        table="<results>/edit/summary.csv",
        summary="<results>/edit/summary.json",
        figure="<results>/edit/curves.svg",
        section="<results>/edit/section.json",
        record="<results>/edit/provenance.json",
    log:
        "<logs>/edit/table.log",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem=memory(2),
    params:
        code=step_code("edit.table"),
    shell:
        command("edit.table")


rule edit:
    input:
        "<results>/edit/section.json" if CONFIG.edit else [],
    localrule: True
