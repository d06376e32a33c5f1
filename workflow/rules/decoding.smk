# The comparison of decoding strategies: strategies x lambda x beam size on annotated networks.
from milan_core.experiments.decoding import plan as decoding_plan

STUDIED = decoding_plan.studied(CONFIG)


rule decoding_measure:
    input:
        annotations="<results>/{model}/annotations/annotations.csv",
        truth=known_truth,
        captioner_units=published_captioner("units.csv"),
        train_annotations=train_annotations,
        train_truth=train_truth,
        bertscore=bertscore_asset,
        captioner=published_captioner(*CAPTIONER_FILES),
        features="<results>/{model}/features/features.safetensors",
    output:
        table="<results>/decoding/{model}/table.csv",
        timing="<results>/decoding/{model}/timing.csv",
        record="<results>/decoding/{model}/provenance.json",
    log:
        "<logs>/decoding/{model}.log",
    benchmark:
        "<benchmarks>/decoding/{model}.tsv"
    wildcard_constraints:
        model=DESCRIBABLE,
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(4),
    params:
        trained_on=trained_on,
        options=canonical(generalization_plan.score_options(CONFIG)),
        seed=CONFIG.seed,
        model="{model}",
        strategies=canonical(decoding_plan.strategy_options(CONFIG)),
        length=CONFIG.describe.length,
        code=step_code("decoding.measure"),
    shell:
        command("decoding.measure")


rule decoding_table:
    input:
        tables=collect("<results>/decoding/{model}/table.csv", model=STUDIED),
        timings=collect("<results>/decoding/{model}/timing.csv", model=STUDIED),
    output:
        table="<results>/decoding/table.csv",
        timing="<results>/decoding/timing.csv",
        figure="<results>/decoding/study.svg",
        section="<results>/decoding/section.json",
        record="<results>/decoding/provenance.json",
    log:
        "<logs>/decoding/table.log",
    benchmark:
        "<benchmarks>/decoding/table.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem=memory(2),
    params:
        temperature=CONFIG.describe.temperature,
        beam_size=CONFIG.describe.beam_size,
        code=step_code("decoding.table"),
    shell:
        command("decoding.table")


rule decoding:
    input:
        collect(
            "<results>/decoding/{file}",
            file=["table.csv", "section.json"] if STUDIED else [],
        ),
    localrule: True
