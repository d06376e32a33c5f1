# Data packages and published weights.
from milan_core.images.fetch.plan import job_asset


rule fetch_asset:
    output:
        folder=directory("<resources>/assets/{asset}"),
    log:
        "<logs>/assets/{asset}.log",
    retries: 2
    localrule: True
    conda:
        "../../envs/milan.yaml"
    resources:
        mem=memory(2),
    params:
        asset=lambda wildcards: canonical(job_asset(CONFIG, wildcards.asset)),
        code=step_code("fetch.asset"),
    shell:
        command("fetch.asset")


rule fetch_weights:
    output:
        weights="<resources>/weights/{weights_file}",
        record="<resources>/weights/{weights_file}.provenance.json",
    log:
        "<logs>/weights/{weights_file}.log",
    # A file that is in place is the user's: no rule makes it, so none deletes it.
    wildcard_constraints:
        weights_file=one_of(FETCHED_WEIGHTS),
    retries: 2
    localrule: True
    conda:
        "../../envs/milan.yaml"
    resources:
        mem=memory(2),
    params:
        file=lambda wildcards: canonical(FETCHED_WEIGHTS[wildcards.weights_file]),
        code=step_code("fetch.weights"),
    shell:
        command("fetch.weights")
