rule report_pages:
    input:
        exemplars=collect(
            "<results>/{model}/exemplars/exemplars.safetensors", model=NETWORKS
        ),
        descriptions=collect("<results>/{model}/descriptions.csv", model=NETWORKS),
        annotations=collect(
            "<results>/{model}/annotations/truth.csv", model=plan.judged(CONFIG)
        ),
        references=collect(
            "<results>/{model}/annotations/annotations.csv",
            model=plan.judged(CONFIG),
        ),
        accuracy=collect("<results>/{model}/target/accuracy.csv", model=TRAINED),
        tables=[rules.generalization.input, rules.baselines.input],
        sections=experiment_sections,
        captioner=whole_corpus_captioner,
    output:
        report(
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
        run=plan.report_params(CONFIG, RESULTS, RESOURCES),
        code=code_version("report"),
    shell:
        "milan --log {log} report pages --run {params.run:q} --out {output}"


rule report:
    input:
        "<results>/report",
    localrule: True
