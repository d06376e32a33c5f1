# The report: an overview, and a page for each experiment.
from milan_core.plan.needed import used_assets
from milan_core.report import plan as report_plan

# Rules that write the section of an experiment (the first) and the files that it names; one that
# is not listed has a rule `<name>_section` which writes all of them.
SECTIONS = {
    "analyze": [rules.analyze_table],
    "generalization": [rules.generalization_table],
    "captioners": [rules.captioner_histories],
    "baselines": [rules.baselines_table],
    "controls": [rules.controls_section, rules.generalization_table],
    "referee": [rules.referee_leaderboard],
    "abstention": [rules.abstention_table],
    "decoding": [rules.decoding_table],
    "variants": [rules.variants_table],
    "audit": [rules.audit_section, rules.audit_count, rules.audit_recount][
        : 3 if REVIEW else 2
    ],
    "edit": [rules.edit_table],
}
REPORT = report_plan.report_run(CONFIG)
REPORTED = [
    SECTIONS.get(name) or [getattr(rules, f"{name}_section")]
    for name in report_plan.experiments(CONFIG)
]


def stated(file):
    """The path of an output as its rule states it, also where files lie in a storage."""
    if not file.is_storage:
        return file
    prefix = workflow.storage_settings.default_storage_prefix
    return file.storage_object.query.removeprefix(prefix).lstrip("/")


def run_records(wildcards):
    """Provenance records of this run's jobs, for the table of time and memory."""
    mined = [{"model": name} for name in trained_plan.mined_models(CONFIG)]
    annotated = [{"model": name} for name in splits_plan.annotated(CONFIG)]
    networks = [{"model": name} for name in NETWORKS]
    here = [name for name in NETWORKS if CONFIG.model_zoo[name].training]
    here = [name for name in here if target_folder(name) == f"{RESULTS}/{name}/target"]
    trainings = [
        {"split": one.split, "seed": one.seed}
        for one in TRAININGS
        if captioner_folder(one).startswith(f"{RESULTS}/captioners/")
    ]
    trials = [
        {"split": one.split, "model": one.test, "seed": one.seed} for one in TRIALS
    ]
    jobs = [
        (rules.networks_train, [{"model": name} for name in here]),
        (rules.exemplars_merge, mined),
        (
            rules.annotations_write,
            [one for one in annotated if one in mined],
        ),
        (rules.features_pool, mined),
        (rules.captioner_train, trainings),
        (rules.describers_units, trials),
        (rules.describers_publish, networks),
        (rules.generalization_score, trials),
        (rules.decoding_measure, [{"model": name} for name in STUDIED]),
        (rules.analyze_network, [{"model": name} for name in ANALYZED]),
        (rules.edit_network, [{"model": name} for name in EDITED]),
        *((writers[0], [{}]) for writers in REPORTED),
    ]
    return [
        path
        for rule, every in jobs
        if "record" in rule.output.keys()
        for values in every
        for path in expand(stated(rule.output.record), **values)
    ]


rule report_pages:
    input:
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
        mem=memory(1),
    params:
        options=canonical(REPORT),
        code=step_code("report.pages"),
    shell:
        command("report.pages")


# The captioner for networks of the user's own is made beside the pages.
rule report:
    input:
        pages="<results>/report",
        captioner=whole_corpus_captioner,
    localrule: True
