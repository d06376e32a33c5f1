"""Published files in small: the whole layouts, random numbers in them."""

import io
import zipfile

import torch

from milan_core.captioner.release import read_release

#: A generator of the published architecture with few channels.
BIGGAN = {
    "name": "small",
    "factory": "milan_core.networks.adapters.biggan:generator",
    "kwargs": {"channels": 8, "classes": 3},
    "weights": {"source": "random"},
    "input": {"kind": "latents", "size": 256},
    "layers": ["layer0"],
}


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return tuple(map(plain, value)) if isinstance(value, tuple) else value


def write_container(golden, trunk, path):
    """A published captioner: the decoder and prior of the file `golden`, and a whole ResNet-18."""
    release = read_release(golden)
    state = dict(plain(release.state))
    state |= {f"encoder.featurizer.model.{name}": x for name, x in trunk.state_dict().items()}
    state |= {"encoder.mean": torch.zeros(1, 3, 1, 1), "encoder.std": torch.ones(1, 3, 1, 1)}
    content = {"properties": plain(release.properties), "children": plain(release.children)}
    torch.save({**content, "state_dict": state}, path)
    return path


def codes_zip(codes, classes, names=("zs", "ys"), folder="biggan-zs-imagenet"):
    """The bytes of a published set of latent codes: a folder with a file for each tensor."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, tensor in zip(names, (codes, classes), strict=True):
            stored = io.BytesIO()
            torch.save(tensor, stored)
            archive.writestr(f"{folder}/{name}.pth", stored.getvalue())
    return buffer.getvalue()
