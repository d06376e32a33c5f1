# Networks that are trained in this run.


def test_images(wildcards):
    """The data sets that the accuracy of a network is reported on."""
    return [
        dataset_folder(name)
        for name in network_plan.trained(CONFIG, wildcards.model).tests
    ]


def training_images(wildcards):
    """The data set that a network is trained on."""
    return dataset_folder(network_plan.trained(CONFIG, wildcards.model).dataset)


def teacher_weights(wildcards):
    """The weights of the network whose features are learned."""
    teacher = network_plan.teacher(CONFIG, wildcards.model)
    return network_plan.weights_file(CONFIG, teacher.name) or [] if teacher else []


rule networks_train:
    input:
        train=training_images,
        tests=test_images,
        teacher_weights=teacher_weights,
    output:
        weights="<results>/{model}/target/weights.safetensors",
        history="<results>/{model}/target/training.csv",
        accuracy="<results>/{model}/target/accuracy.csv",
        record="<results>/{model}/target/provenance.json",
    log:
        "<logs>/{model}/target.log",
    benchmark:
        "<benchmarks>/{model}/target.tsv"
    priority: 10
    conda:
        "../../envs/milan.yaml"
    threads: 1
    resources:
        device=CONFIG.device,
        gpu=gpus,
        mem=memory(4),
    params:
        model=lambda wildcards: canonical(
            network_plan.architecture(CONFIG, wildcards.model)
        ),
        training=lambda wildcards: canonical(
            network_plan.trained(CONFIG, wildcards.model)
        ),
        teacher=lambda wildcards: canonical(
            network_plan.teacher(CONFIG, wildcards.model)
        ),
        seed=lambda wildcards: network_plan.training_seed(CONFIG, wildcards.model),
        code=step_code("networks.train"),
    shell:
        command("networks.train")
