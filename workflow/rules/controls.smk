# Controls: what the scores rest on, in sentences.
from milan_core.experiments.controls import plan as controls_plan


rule controls_section:
    input:
        generalization="<results>/generalization/table.csv",
        baselines=rules.baselines.input and "<results>/baselines/table.csv",
        paired="<results>/generalization/paired.csv",
        masks="<results>/generalization/masks.csv",
        lambdas="<results>/generalization/lambda.csv",
        lambda_figure="<results>/generalization/lambda.svg",
    output:
        section="<results>/controls/section.json",
        record="<results>/controls/provenance.json",
    log:
        "<logs>/controls/section.log",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem=memory(2),
    params:
        options=canonical(controls_plan.controls_options(CONFIG)),
        code=step_code("controls.section"),
    shell:
        command("controls.section")


rule controls:
    input:
        "<results>/controls/section.json" if TRIALS else [],
    localrule: True
