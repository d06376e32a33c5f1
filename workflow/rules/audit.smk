rule audit_count:
    input:
        descriptions=audited("descriptions.csv"),
        exemplars=audited("exemplars/exemplars.safetensors"),
        truth=audited_truth,
        datasets=audited_datasets,
    output:
        counts="<results>/audit/counts.csv",
        changes="<results>/audit/changes.csv",
        units="<results>/audit/units.csv",
        review=directory("<results>/audit/review"),
    log:
        "<logs>/audit/count.log",
    benchmark:
        "<benchmarks>/audit/count.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem="8GB",
    params:
        options=plan.audit_params(CONFIG),
        seed=CONFIG.seed,
        code=code_version("audit"),
    shell:
        "milan --log {log} audit count --options {params.options:q} --descriptions {input.descriptions}"
        " --exemplars {input.exemplars} --truth {input.truth} --datasets {input.datasets}"
        " --seed {params.seed} --out {output.counts}"


rule audit_recount:
    input:
        descriptions=audited("descriptions.csv"),
        exemplars=audited("exemplars/exemplars.safetensors"),
        truth=audited_truth,
        datasets=audited_datasets,
        units="<results>/audit/units.csv",
        review=REVIEW or [],
    output:
        counts="<results>/audit/recount.csv",
        changes="<results>/audit/recount_changes.csv",
    log:
        "<logs>/audit/recount.log",
    benchmark:
        "<benchmarks>/audit/recount.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem="4GB",
    params:
        options=plan.audit_params(CONFIG),
        code=code_version("audit"),
    shell:
        "milan --log {log} audit recount --options {params.options:q} --descriptions {input.descriptions}"
        " --exemplars {input.exemplars} --truth {input.truth} --datasets {input.datasets}"
        " --units {input.units} --review {input.review} --out {output.counts}"


rule audit_section:
    input:
        counts="<results>/audit/counts.csv",
        changes="<results>/audit/changes.csv",
        units="<results>/audit/units.csv",
        review="<results>/audit/review",
        recount="<results>/audit/recount.csv" if REVIEW else [],
    output:
        section="<results>/audit/section.json",
        figure=(
            "<results>/audit/change.svg" if CONFIG.audit and CONFIG.audit.pairs else []
        ),
    log:
        "<logs>/audit/section.log",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    params:
        options=plan.audit_params(CONFIG),
        reviewed="--reviewed" if REVIEW else "",
        code=code_version("audit"),
    shell:
        "milan --log {log} audit section --options {params.options:q} {params.reviewed} --out {output.section}"


rule audit:
    input:
        "<results>/audit/section.json" if CONFIG.audit else [],
    localrule: True
