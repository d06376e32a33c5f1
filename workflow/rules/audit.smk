# Audit: units whose description matches a query, counted and reviewed (paper section 6).
from milan_core.experiments.audit import plan as audit_plan

AUDITED = audit_plan.audited(CONFIG)
AUDIT_OPTIONS = canonical(audit_plan.audit_options(CONFIG) if CONFIG.audit else None)
REVIEW = CONFIG.audit.review if CONFIG.audit else None


rule audit_count:
    input:
        descriptions=collect("<results>/{model}/descriptions.csv", model=AUDITED),
        exemplars=collect(
            "<results>/{model}/exemplars/exemplars.safetensors", model=AUDITED
        ),
        datasets=[dataset_folder(CONFIG.model_zoo[name].dataset) for name in AUDITED],
        truth=collect(
            "<results>/{model}/annotations/truth.csv",
            model=[name for name in AUDITED if audit_plan.has_truth(CONFIG, name)],
        ),
    output:
        counts="<results>/audit/counts.csv",
        changes="<results>/audit/changes.csv",
        units="<results>/audit/units.csv",
        review=directory("<results>/audit/review"),
        record="<results>/audit/count.provenance.json",
    log:
        "<logs>/audit/count.log",
    benchmark:
        "<benchmarks>/audit/count.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem=memory(8),
    params:
        options=AUDIT_OPTIONS,
        seed=CONFIG.seed,
        code=step_code("audit.count"),
    shell:
        command("audit.count")


rule audit_recount:
    input:
        exemplars=collect(
            "<results>/{model}/exemplars/exemplars.safetensors", model=AUDITED
        ),
        units="<results>/audit/units.csv",
        review=REVIEW or [],
    output:
        counts="<results>/audit/recount.csv",
        changes="<results>/audit/recount_changes.csv",
        record="<results>/audit/recount.provenance.json",
    log:
        "<logs>/audit/recount.log",
    benchmark:
        "<benchmarks>/audit/recount.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem=memory(4),
    params:
        options=AUDIT_OPTIONS,
        code=step_code("audit.recount"),
    shell:
        command("audit.recount")


rule audit_section:
    input:
        counts="<results>/audit/counts.csv",
        changes="<results>/audit/changes.csv",
        units="<results>/audit/units.csv",
        review="<results>/audit/review",
        recount="<results>/audit/recount.csv" if REVIEW else [],
        recount_changes="<results>/audit/recount_changes.csv" if REVIEW else [],
    output:
        figure=(
            "<results>/audit/change.svg" if CONFIG.audit and CONFIG.audit.pairs else []
        ),
        section="<results>/audit/section.json",
        record="<results>/audit/provenance.json",
    log:
        "<logs>/audit/section.log",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem=memory(2),
    params:
        options=AUDIT_OPTIONS,
        code=step_code("audit.section"),
    shell:
        command("audit.section")


rule audit:
    input:
        rules.audit_section.output if CONFIG.audit else [],
    localrule: True
