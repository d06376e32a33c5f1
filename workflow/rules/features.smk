# Features: maps of the encoder, pooled under the masks of exemplars.
from milan_core.annotations import plan as annotations_plan
from milan_core.captioner.features import plan as features_plan
from milan_core.plan.cuts import Made, parts_to_join

ENCODER = canonical(features_plan.job_encoder(CONFIG))


def encoder_weights(wildcards):
    """The encoder's weights file; empty when its factory brings its own."""
    return network_plan.weights_file(CONFIG, CONFIG.encoder.model) or []


def probe_maps(wildcards):
    """The encoder's maps of the network's probe images; none where they are not stored."""
    if CONFIG.encoder.maps == "passing":
        return []
    return f"{RESULTS}/encoder/{CONFIG.model_zoo[wildcards.model].dataset}"


def pool_parts(wildcards):
    """The parts that features are joined from; none where one job pools, or maps are stored."""
    whole = f"{RESULTS}/{wildcards.model}/features/provenance.json"
    if CONFIG.encoder.maps != "passing" or CONFIG.encoder.kind != "pyramid":
        return []
    made = Made.of("features.pool_part", encoder=ENCODER, seed=CONFIG.seed)
    return parts_to_join(CONFIG.shards.features, whole, "features.pool", made)


rule features_encode:
    input:
        weights=encoder_weights,
        dataset="<resources>/datasets/{dataset}",
    output:
        maps=directory("<results>/encoder/{dataset}"),
    log:
        "<logs>/encoder/{dataset}.log",
    benchmark:
        "<benchmarks>/encoder/{dataset}.tsv"
    priority: 5
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(8),
        runtime="4h",
    params:
        encoder=ENCODER,
        code=step_code("features.encode"),
    shell:
        command("features.encode")


rule features_pool_part:
    input:
        weights=encoder_weights,
        exemplars="<results>/{model}/exemplars/exemplars.safetensors",
        dataset=probe_manifest,
    output:
        done="<results>/{model}/features/parts/{part}-of-{parts}.safetensors",
        record="<results>/{model}/features/parts/{part}-of-{parts}.provenance.json",
    log:
        "<logs>/{model}/features/{part}-of-{parts}.log",
    benchmark:
        "<benchmarks>/{model}/features/{part}-of-{parts}.tsv"
    wildcard_constraints:
        part=r"\d+",
        parts=r"\d+",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(8),
        runtime="4h",
    params:
        part="{part}",
        of="{parts}",
        encoder=ENCODER,
        seed=CONFIG.seed,
        code=step_code("features.pool_part"),
    shell:
        command("features.pool_part")


rule features_pool:
    input:
        parts=pool_parts,
        weights=encoder_weights,
        maps=probe_maps,
        exemplars="<results>/{model}/exemplars/exemplars.safetensors",
        dataset=probe_manifest,
    output:
        features="<results>/{model}/features/features.safetensors",
        record="<results>/{model}/features/provenance.json",
    log:
        "<logs>/{model}/features.log",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(8),
        runtime="4h",
    params:
        encoder=ENCODER,
        seed=CONFIG.seed,
        code=step_code("features.pool"),
    shell:
        command("features.pool")


rule features_encode_set:
    input:
        weights=encoder_weights,
    output:
        features="<results>/{annotation_set}/features/features.safetensors",
        annotations="<results>/{annotation_set}/annotations/annotations.csv",
        record="<results>/{annotation_set}/features/provenance.json",
    log:
        "<logs>/{annotation_set}/encode.log",
    benchmark:
        "<benchmarks>/{annotation_set}/encode.tsv"
    priority: 5
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(8),
        runtime="12h",
    params:
        annotation_set=lambda wildcards: canonical(
            CONFIG.annotation_sets[wildcards.annotation_set]
        ),
        controls=lambda wildcards: canonical(wildcards.annotation_set in CONFIG.models),
        encoder=ENCODER,
        seed=CONFIG.seed,
        code=step_code("features.encode_set"),
    shell:
        command("features.encode_set")
