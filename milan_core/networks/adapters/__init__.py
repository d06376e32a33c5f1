"""Networks of libraries and of files: the prefix of their `factory`, and the loader of each."""

HUBS = {
    "torchvision": f"{__name__}.hubs:torchvision_model",
    "timm": f"{__name__}.hubs:timm_model",
    "hf": f"{__name__}.huggingface:hub_model",
}
FILES = {
    "torchscript": f"{__name__}.torchscript:load",
    "export": f"{__name__}.exported:load",
}
