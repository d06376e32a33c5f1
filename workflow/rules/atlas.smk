# The atlas: a browser of the networks' units and of the experiments, one folder.
from milan_core.atlas import plan as atlas_plan

ATLAS = atlas_plan.atlas_run(CONFIG)


rule atlas_build:
    input:
        files=[
            path
            for network in ATLAS.networks
            for path in atlas_plan.network_paths(CONFIG, network.name).values()
        ],
        sections=[writers[0].output.section for writers in REPORTED],
        section_files=[rule.output for writers in REPORTED for rule in writers],
        records=run_records,
        assets=collect("<resources>/assets/{name}", name=used_assets(CONFIG)),
    output:
        atlas=directory("<results>/atlas"),
    log:
        "<logs>/atlas.log",
    benchmark:
        "<benchmarks>/atlas.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem=memory(4),
    params:
        options=canonical(ATLAS),
        code=step_code("atlas.build"),
    shell:
        command("atlas.build")


rule atlas:
    input:
        "<results>/atlas",
    localrule: True
