rule assets_fetch:
    output:
        "<resources>/assets/{asset}/asset.json",
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
        "milan --log {log} assets fetch --name {wildcards.asset} --spec {params.spec:q} --out {output}"
