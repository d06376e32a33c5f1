rule assets_fetch:
    output:
        directory("<resources>/assets/{asset}"),
    log:
        "<logs>/assets/{asset}.log",
    retries: 2
    localrule: True
    conda:
        "../../envs/milan.yaml"
    params:
        spec=asset_spec,
        code=code_version("assets"),
    shell:
        "milan --log {log} assets fetch {wildcards.asset} --spec {params.spec:q} --out {output}"


rule weights_fetch:
    output:
        "<resources>/weights/{weights_file}",
    log:
        "<logs>/weights/{weights_file}.log",
    # A file that is in place is the user's: no rule makes it, so none deletes it.
    wildcard_constraints:
        weights_file=one_of(FETCHED_WEIGHTS),
    retries: 2
    localrule: True
    conda:
        "../../envs/milan.yaml"
    params:
        spec=weights_spec,
        code=code_version("weights"),
    shell:
        "milan --log {log} assets fetch {wildcards.weights_file} --spec {params.spec:q} --out {output}"
