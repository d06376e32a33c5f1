# Descriptions of units: main ones and variants.
from milan_core.describers import plan as describers_plan
from milan_core.describers.several.options import SeveralOptions

DECODING = canonical(captioner_plan.decoding(CONFIG))


def published_file(model, kind):
    """A file of the trial of a captioner that is published for a network."""
    split = splits_plan.primary_split(CONFIG, model)
    seed = splits_plan.seeds(CONFIG, split)[0]
    return f"{RESULTS}/{model}/describe/{split}/seed{seed}/{kind}"


def published(kind):
    """An input function: a file of the trial that is published for the network."""
    return lambda wildcards: published_file(wildcards.model, kind)


def within(wildcards):
    """The within-network descriptions of a network that has annotations."""
    if wildcards.model not in splits_plan.described(CONFIG):
        return []
    split = f"within_{wildcards.model}"
    seed = splits_plan.seeds(CONFIG, split)[0]
    return f"{RESULTS}/{wildcards.model}/describe/{split}/seed{seed}/descriptions.csv"


def pooled(wildcards):
    """The descriptions that a judge chose, where one does."""
    chosen = describers_plan.pooled(CONFIG, wildcards.model)
    return f"{RESULTS}/{wildcards.model}/pool/descriptions.csv" if chosen else []


def pool_tables(wildcards):
    """Texts of variants and listed describers that are candidates."""
    tables = describers_plan.pool_tables(CONFIG, wildcards.model)
    return [f"{RESULTS}/{table}" for table in tables.values()]


def pool_methods(wildcards):
    """Tables in which describers whose texts are candidates speak of the network."""
    names = describers_plan.pool_methods(CONFIG)
    labels = [name for name in names if name in CONFIG.baselines.methods]
    files = [f"{RESULTS}/{wildcards.model}/labels/labels.csv"] if labels else []
    return files + ([published("baselines.csv")(wildcards)] if labels != names else [])


def pool_exemplars(wildcards):
    """Exemplars of the network, where the pool looks under their masks."""
    looked = CONFIG.describe.pool.masks > 0
    return (
        f"{RESULTS}/{wildcards.model}/exemplars/exemplars.safetensors" if looked else []
    )


def several_texts(wildcards):
    """The captioner's texts and the chosen ones: candidates for every unit of their layer."""
    chosen = f"{RESULTS}/{wildcards.model}/pool/descriptions.csv"
    return [published_file(wildcards.model, "descriptions.csv"), chosen]


def several_labels(wildcards):
    """Labels of units that respond to several things, where units get some."""
    labels = f"{RESULTS}/{wildcards.model}/several/labels.csv"
    return labels if describers_plan.several(CONFIG, wildcards.model) else []


def units_masking(wildcards):
    """The masks of the features that a split describes."""
    return SPLITS[wildcards.split].masking


def units_parts(wildcards):
    """The parts that the descriptions of a trial are joined from; none where one job makes them."""
    trial = f"describe/{wildcards.split}/seed{wildcards.seed}"
    whole = f"{RESULTS}/{wildcards.model}/{trial}/provenance.json"
    made = Made.of(
        "describers.units_part",
        model=wildcards.model,
        masking=units_masking(wildcards),
        decoding=DECODING,
    )
    return parts_to_join(CONFIG.shards.describe, whole, "describers.units", made)


rule describers_units_part:
    input:
        captioner=captioner_files(*CAPTIONER_FILES),
        units=captioner_files("units.csv"),
        features="<results>/{model}/features/features.safetensors",
    output:
        done="<results>/{model}/describe/{split}/seed{seed}/parts/{part}-of-{parts}.safetensors",
        record="<results>/{model}/describe/{split}/seed{seed}/parts/{part}-of-{parts}.provenance.json",
    log:
        "<logs>/{model}/describe/{split}-seed{seed}-{part}-of-{parts}.log",
    benchmark:
        "<benchmarks>/{model}/describe/{split}-seed{seed}-{part}-of-{parts}.tsv"
    wildcard_constraints:
        model=DESCRIBABLE,
        part=r"\d+",
        parts=r"\d+",
    priority: 5
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(8),
    params:
        part="{part}",
        of="{parts}",
        model="{model}",
        masking=units_masking,
        decoding=DECODING,
        code=step_code("describers.units_part"),
    shell:
        command("describers.units_part")


rule describers_units:
    input:
        parts=units_parts,
        captioner=captioner_files(*CAPTIONER_FILES),
        units=captioner_files("units.csv"),
        features="<results>/{model}/features/features.safetensors",
    output:
        descriptions="<results>/{model}/describe/{split}/seed{seed}/descriptions.csv",
        beams="<results>/{model}/describe/{split}/seed{seed}/beams.safetensors",
        baselines="<results>/{model}/describe/{split}/seed{seed}/baselines.csv",
        record="<results>/{model}/describe/{split}/seed{seed}/provenance.json",
    log:
        "<logs>/{model}/describe/{split}-seed{seed}.log",
    benchmark:
        "<benchmarks>/{model}/describe/{split}-seed{seed}.tsv"
    wildcard_constraints:
        model=DESCRIBABLE,
    priority: 5
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(8),
    params:
        model="{model}",
        masking=units_masking,
        decoding=DECODING,
        code=step_code("describers.units"),
    shell:
        command("describers.units")


rule describers_pool:
    input:
        table="<results>/{model}/exemplars/activations.safetensors",
        dataset=probe_manifest,
        beams=published("beams.safetensors"),
        descriptions=published("descriptions.csv"),
        tables=pool_tables,
        methods=pool_methods,
        judge=(
            referee_plan.judge_folder(CONFIG)
            if describers_plan.trains_judge(CONFIG)
            else []
        ),
        seen=lambda wildcards: (
            f"{RESULTS}/referee/mini/{CONFIG.model_zoo[wildcards.model].dataset}.safetensors"
        ),
        exemplars=pool_exemplars,
    output:
        pooled="<results>/{model}/pool/descriptions.csv",
        ranking="<results>/{model}/pool/ranking.csv",
        linear="<results>/{model}/pool/linear.csv",
        record="<results>/{model}/pool/provenance.json",
    log:
        "<logs>/{model}/pool.log",
    benchmark:
        "<benchmarks>/{model}/pool.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(4),
    params:
        named=lambda wildcards: canonical(
            list(describers_plan.pool_tables(CONFIG, wildcards.model))
        ),
        chosen=canonical(describers_plan.pool_methods(CONFIG)),
        options=canonical(describers_plan.pool_options(CONFIG)),
        code=step_code("describers.pool"),
    shell:
        command("describers.pool")


rule several_label:
    input:
        table="<results>/{model}/exemplars/activations.safetensors",
        dataset=probe_manifest,
        descriptions=several_texts,
        judge=(
            referee_plan.judge_folder(CONFIG)
            if describers_plan.trains_judge(CONFIG)
            else []
        ),
        seen=lambda wildcards: (
            f"{RESULTS}/referee/mini/{CONFIG.model_zoo[wildcards.model].dataset}.safetensors"
        ),
    output:
        labels="<results>/{model}/several/labels.csv",
        record="<results>/{model}/several/provenance.json",
    log:
        "<logs>/{model}/several.log",
    benchmark:
        "<benchmarks>/{model}/several.tsv"
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(4),
    params:
        options=canonical(CONFIG.describe.several or SeveralOptions()),
        code=step_code("several.label"),
    shell:
        command("several.label")


rule describers_publish:
    input:
        main=published("descriptions.csv"),
        within=within,
        pooled=pooled,
        decided=lambda wildcards: abstaining(wildcards),
        several=several_labels,
    output:
        descriptions=report(
            "<results>/{model}/descriptions.csv",
            caption="../report/descriptions.rst",
            category="describe",
            subcategory="{model}",
            labels={"model": "{model}", "kind": "table"},
        ),
        record="<results>/{model}/provenance.json",
    log:
        "<logs>/{model}/describe/table.log",
    wildcard_constraints:
        model=DESCRIBABLE,
    localrule: True
    conda:
        "../../envs/milan.yaml"
    resources:
        mem=memory(2),
    params:
        code=step_code("describers.publish"),
    shell:
        command("describers.publish")


rule describe:
    input:
        collect("<results>/{model}/descriptions.csv", model=CONFIG.models),
    localrule: True
