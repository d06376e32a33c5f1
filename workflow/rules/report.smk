# The report: an overview, a page for each network, a page for each experiment.
from milan_core.plan.needed import used_assets
from milan_core.report import plan as report_plan

# Rules that write the section of an experiment (the first) and the files that it names.
SECTIONS = {
    "analyze": [rules.analyze_table],
    "generalization": [rules.generalization_table],
    "captioners": [rules.captioner_histories],
    "baselines": [rules.baselines_table],
    "controls": [rules.controls_section, rules.generalization_table],
    "decoding": [rules.decoding_table],
    "variants": [rules.variants_table],
    "audit": [rules.audit_section, rules.audit_count, rules.audit_recount][
        : 3 if REVIEW else 2
    ],
    "edit": [rules.edit_table],
}
REPORTED = [SECTIONS[name] for name in report_plan.experiments(CONFIG)]


def run_records(wildcards):
    """Provenance records of this run's jobs, for the table of time and memory."""
    jobs = [
        (rules.analyze_network, {"model": ANALYZED}),
        (rules.edit_network, {"model": EDITED}),
        *((rule, {}) for writers in REPORTED for rule in writers),
    ]
    return [
        path
        for rule, values in jobs
        if "record" in rule.output.keys()
        for path in expand(rule.output.record, **values)
    ]


rule report_pages:
    input:
        exemplars=collect(
            "<results>/{model}/exemplars/exemplars.safetensors", model=NETWORKS
        ),
        datasets=[dataset_folder(CONFIG.model_zoo[name].dataset) for name in NETWORKS],
        descriptions=collect("<results>/{model}/descriptions.csv", model=NETWORKS),
        annotations=collect(
            "<results>/{model}/annotations/annotations.csv",
            model=splits_plan.judged(CONFIG),
        ),
        truth=collect(
            "<results>/{model}/annotations/truth.csv", model=splits_plan.judged(CONFIG)
        ),
        accuracy=collect("<results>/{model}/target/accuracy.csv", model=TRAINED),
        sections=[writers[0].output.section for writers in REPORTED],
        section_files=[rule.output for writers in REPORTED for rule in writers],
        records=run_records,
        assets=collect("<resources>/assets/{name}", name=used_assets(CONFIG)),
    output:
        pages=report(
            directory("<results>/report"),
            caption="../report/pages.rst",
            category="report",
            htmlindex="index.html",
        ),
    log:
        "<logs>/report.log",
    benchmark:
        "<benchmarks>/report.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem="4GB",
    params:
        options=canonical(report_plan.report_run(CONFIG)),
        code=step_code("report.pages"),
    shell:
        command("report.pages")


# The captioner for networks of the user's own is made beside the pages.
rule report:
    input:
        pages="<results>/report",
        captioner=whole_corpus_captioner,
    localrule: True
