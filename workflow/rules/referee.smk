# The referee: held-out scores of every description.
from milan_core.describers.abstention import plan as abstention_plan
from milan_core.describers.abstention.options import ANSWERED

REFEREED = referee_plan.scored(CONFIG)


def refereed(file):
    """A file of every network and judge that has scores, in one order."""
    return [f"{RESULTS}/{model}/referee/{judge}/{file}" for model, judge in REFEREED]


def referee_activations(wildcards):
    """Activations on the images that score: a second data set, or held-out probe images."""
    return f"{RESULTS}/{referee_plan.scored_table(CONFIG, wildcards.model)}"


def referee_tables(of):
    """An input function: files of further describers, in the order of their names."""

    def paths(wildcards):
        return [f"{RESULTS}/{table}" for table in of(CONFIG, wildcards.model).values()]

    return paths


def referee_methods(wildcards):
    """Tables in which other describers speak of the network."""
    tables = referee_plan.method_tables(CONFIG, wildcards.model)
    return [f"{RESULTS}/{table}" for table in tables]


def referee_truth(wildcards):
    """The concepts of the units, where they are known."""
    truth = f"{RESULTS}/{wildcards.model}/annotations/truth.csv"
    return truth if referee_plan.has_truth(CONFIG, wildcards.model) else []


def referee_readers(wildcards):
    """Describers of the network that read the judge trained here."""
    names = referee_plan.judge_readers(CONFIG, wildcards.model)
    told = abstention_plan.told_tables(CONFIG, wildcards.model)
    return names + [name for name in told if name == ANSWERED]


rule referee_table:
    input:
        weights=model_weights,
        dataset=lambda wildcards: dataset_folder(
            exemplars_plan.heldout_dataset(CONFIG, wildcards.model)
        ),
    output:
        table="<results>/{model}/referee/activations.safetensors",
        record="<results>/{model}/referee/activations.provenance.json",
    log:
        "<logs>/{model}/referee/activations.log",
    benchmark:
        "<benchmarks>/{model}/referee/activations.tsv"
    wildcard_constraints:
        model=one_of(referee_plan.held_apart(CONFIG)),
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(8),
    params:
        model=job_network,
        pools=canonical(referee_plan.pools(CONFIG)),
        mode=CONFIG.exemplars.mode,
        code=step_code("referee.table"),
    shell:
        command("referee.table")


def score_parts(wildcards):
    """The parts that scores are joined from; none where one job scores."""
    whole = f"{RESULTS}/{wildcards.model}/referee/{wildcards.judge}/provenance.json"
    made = Made.of(
        "referee.score_part",
        judge_module(wildcards),
        judge=canonical(referee_plan.judge_options(CONFIG, wildcards.judge)),
        options=canonical(referee_plan.scoring_options(CONFIG)),
        seed=CONFIG.seed,
    )
    return parts_to_join(CONFIG.shards.score, whole, "referee.score", made)


rule referee_score_part:
    input:
        table=referee_activations,
        dataset=lambda wildcards: dataset_folder(
            referee_plan.scored_dataset(CONFIG, wildcards.model)
        ),
        descriptions=published("descriptions.csv"),
        tables=referee_tables(abstention_plan.told_tables),
        methods=referee_methods,
        lists=referee_tables(referee_plan.lists_of),
        truth=referee_truth,
        trained=referee_trained,
        seen=referee_seen,
        read=lambda wildcards: (
            referee_plan.judge_folder(CONFIG) if referee_readers(wildcards) else []
        ),
        alpha=f"{RESULTS}/referee/alpha.json" if CHOOSING else [],
    output:
        done="<results>/{model}/referee/{judge}/parts/{part}-of-{parts}.safetensors",
        record="<results>/{model}/referee/{judge}/parts/{part}-of-{parts}.provenance.json",
    log:
        "<logs>/{model}/referee/{judge}-{part}-of-{parts}.log",
    benchmark:
        "<benchmarks>/{model}/referee/{judge}-{part}-of-{parts}.tsv"
    wildcard_constraints:
        judge=one_of({judge.kind for judge in CONFIG.referee.judges}),
        part=r"\d+",
        parts=r"\d+",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(4),
    params:
        part="{part}",
        of="{parts}",
        named=lambda wildcards: canonical(
            list(abstention_plan.told_tables(CONFIG, wildcards.model))
        ),
        listed=lambda wildcards: canonical(
            list(referee_plan.lists_of(CONFIG, wildcards.model))
        ),
        judge=lambda wildcards: canonical(
            referee_plan.judge_options(CONFIG, wildcards.judge)
        ),
        readers=lambda wildcards: canonical(referee_readers(wildcards)),
        options=canonical(referee_plan.scoring_options(CONFIG)),
        seed=CONFIG.seed,
        code=lambda wildcards: step_code("referee.score_part", judge_module(wildcards)),
    shell:
        command("referee.score_part")


rule referee_score:
    input:
        parts=score_parts,
        table=referee_activations,
        dataset=lambda wildcards: dataset_folder(
            referee_plan.scored_dataset(CONFIG, wildcards.model)
        ),
        descriptions=published("descriptions.csv"),
        tables=referee_tables(abstention_plan.told_tables),
        methods=referee_methods,
        lists=referee_tables(referee_plan.lists_of),
        truth=referee_truth,
        trained=referee_trained,
        seen=referee_seen,
        read=lambda wildcards: (
            referee_plan.judge_folder(CONFIG) if referee_readers(wildcards) else []
        ),
        alpha=f"{RESULTS}/referee/alpha.json" if CHOOSING else [],
    output:
        scores="<results>/{model}/referee/{judge}/scores.csv",
        board="<results>/{model}/referee/{judge}/board.safetensors",
        sanity="<results>/{model}/referee/{judge}/sanity.csv",
        record="<results>/{model}/referee/{judge}/provenance.json",
    log:
        "<logs>/{model}/referee/{judge}.log",
    benchmark:
        "<benchmarks>/{model}/referee/{judge}.tsv"
    wildcard_constraints:
        judge=one_of({judge.kind for judge in CONFIG.referee.judges}),
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(4),
    params:
        named=lambda wildcards: canonical(
            list(abstention_plan.told_tables(CONFIG, wildcards.model))
        ),
        listed=lambda wildcards: canonical(
            list(referee_plan.lists_of(CONFIG, wildcards.model))
        ),
        judge=lambda wildcards: canonical(
            referee_plan.judge_options(CONFIG, wildcards.judge)
        ),
        readers=lambda wildcards: canonical(referee_readers(wildcards)),
        options=canonical(referee_plan.scoring_options(CONFIG)),
        seed=CONFIG.seed,
        code=lambda wildcards: step_code("referee.score", judge_module(wildcards)),
    shell:
        command("referee.score")


rule referee_leaderboard:
    input:
        boards=refereed("board.safetensors"),
        sanity_tables=refereed("sanity.csv"),
    output:
        leaderboard=report(
            "<results>/leaderboard.csv",
            caption="../report/referee.rst",
            category="referee",
            labels={"kind": "table"},
        ),
        summary="<results>/referee/summary.csv",
        sanity="<results>/referee/sanity.csv",
        section="<results>/referee/section.json",
        record="<results>/referee/provenance.json",
    log:
        "<logs>/referee/leaderboard.log",
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        mem=memory(2),
    params:
        options=canonical(referee_plan.board_options(CONFIG)),
        code=step_code("referee.leaderboard"),
    shell:
        command("referee.leaderboard")


rule referee:
    input:
        "<results>/referee/section.json" if REFEREED else [],
    localrule: True
