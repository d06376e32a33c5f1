"""Every built-in network: it builds, and its layers have the published units and map sizes."""

import functools

import pytest
import torch

from milan_core.core.errors import UserError
from milan_core.networks.catalog import extended, network_entry, network_names
from milan_core.networks.listing import layer_shapes, table
from milan_core.networks.trace import Trace
from milan_core.networks.zoo import load_network
from networks.outputs import layer_outputs

MAPS = [112, 56, 28, 14, 7]
CONVS = [55, 27, 13, 13, 13]
RESNET = ([64, 64, 128, 256, 512], MAPS)
BOTTLENECKS = ([64, 256, 512, 1024, 2048], MAPS)
VGG = ([64, 128, 256, 512, 512], [224, 112, 56, 28, 14])
GENERATOR = [8, 16, 32, 64, 128, 256]

# Specification 2.6: channels and sides of the maps, layer by layer.
PUBLISHED = {
    "alexnet_imagenet": ([64, 192, 384, 256, 256], CONVS),
    "alexnet_places365": ([96, 256, 384, 384, 256], CONVS),
    "resnet18_imagenet": RESNET,
    "resnet34_imagenet": RESNET,
    "resnet18_places365": RESNET,
    "resnet50_imagenet": BOTTLENECKS,
    "resnet101_imagenet": BOTTLENECKS,
    "resnet152_imagenet": BOTTLENECKS,
    "resnet152_places365": BOTTLENECKS,
    "vgg11_imagenet": VGG,
    "vgg13_imagenet": VGG,
    "vgg16_imagenet": VGG,
    "vgg19_imagenet": VGG,
    "vgg16_places365": VGG,
    "densenet121_imagenet": ([64, 256, 512, 1024, 1024], MAPS),
    "densenet201_imagenet": ([64, 256, 512, 1792, 1920], MAPS),
    "mobilenet_v2_imagenet": (
        [32, 24, 32, 32, 64, 64, 96, 160, 160, 1280],
        [112, 56, 28, 28, 14, 14, 14, 7, 7, 7],
    ),
    "shufflenet_v2_x1_0_imagenet": ([24, 116, 232, 464, 1024], [112, 28, 14, 7, 7]),
    "squeezenet1_0_imagenet": (
        [96, 128, 128, 256, 256, 384, 384, 512, 512],
        [109, 54, 54, 54, 27, 27, 27, 27, 13],
    ),
    "dino_vits8_imagenet": ([100] * 12, [28] * 12),
    "biggan_imagenet": ([1536, 768, 768, 384, 192, 96], GENERATOR),
    "biggan_places365": ([2048, 1024, 1024, 512, 256, 128], GENERATOR),
}
TWINS = [name for name in network_names() if name.endswith("_blurred")]
PUBLISHED |= {name: PUBLISHED[name.removesuffix("_blurred")] for name in TWINS}
CURRENT = {
    "vit_b_16_imagenet": ([3072] * 12, [14] * 12),
    "dinov2_vitb14": ([3072] * 12, [16] * 12),
    "clip_vit_b32": ([3072] * 12, [7] * 12),
    "clip_vit_b16": ([3072] * 12, [14] * 12),
    "convnext_tiny_imagenet": ([96, 96, 192, 384, 768], [56, 56, 28, 14, 7]),
    "convnext_base_imagenet": ([128, 128, 256, 512, 1024], [56, 56, 28, 14, 7]),
}


shapes = functools.cache(layer_shapes)


def test_all_networks_of_the_paper_are_there():
    assert len(PUBLISHED) == 37
    assert set(network_names()) == {*PUBLISHED, *CURRENT}
    assert len(TWINS) == 15


@pytest.mark.parametrize("name", network_names())
def test_units_and_maps(name):
    channels, sides = {**PUBLISHED, **CURRENT}[name]
    assert list(shapes(name).values()) == [
        (count, side, side) for count, side in zip(channels, sides, strict=True)
    ]


def test_totals_of_the_published_annotations():
    """Specification 3.1 and 5.4."""
    annotated = [
        *("alexnet_imagenet", "alexnet_places365", "resnet152_imagenet", "resnet152_places365"),
        *("biggan_imagenet", "biggan_places365", "dino_vits8_imagenet"),
    ]
    units = [sum(PUBLISHED[name][0]) for name in annotated]
    assert units == [1152, 1376, 3904, 3904, 3744, 4992, 1200]
    audited = [n for n in TWINS if n.split("_")[0] not in ("alexnet", "resnet101", "resnet152")]
    assert sum(sum(PUBLISHED[name][0]) for name in audited) == 25_724


def test_what_is_recorded_after_a_relu():
    for name in network_names():
        entry = network_entry(name)
        if name.split("_")[0] in ("alexnet", "vgg11", "vgg13", "vgg16", "vgg19"):
            assert entry["post_relu"] == entry["layers"]
        elif name.startswith("squeezenet"):
            assert entry["post_relu"] == ["features.0"]
        else:
            assert "post_relu" not in entry


# One network of each family at a reduced size, with what it must be told to get there.
ONE_LAYER = {"hidden_size": 768, "num_hidden_layers": 1, "num_attention_heads": 12}
DINO = {**ONE_LAYER, "image_size": 28, "patch_size": 14}
CLIP = {**ONE_LAYER, "intermediate_size": 3072, "image_size": 64, "patch_size": 32}
FAMILIES = {
    "alexnet_imagenet": (64, {}),
    "resnet18_places365": (32, {}),
    "resnet152_places365": (32, {}),
    "vgg11_imagenet": (32, {"init_weights": False}),
    "densenet121_imagenet": (32, {}),
    "mobilenet_v2_imagenet": (32, {}),
    "shufflenet_v2_x1_0_imagenet": (32, {}),
    "squeezenet1_0_imagenet": (32, {}),
    "dino_vits8_imagenet": (32, {}),
    "convnext_tiny_imagenet": (32, {}),
    "vit_b_16_imagenet": (32, {"image_size": 32}),
    "dinov2_vitb14": (28, {"architecture": "Dinov2Model", "config": DINO}),
    "clip_vit_b32": (64, {"architecture": "CLIPVisionModel", "config": CLIP}),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_real_pass_gives_the_same_units(name):
    """The table above computes no number; here one network of each family does."""
    size, kwargs = FAMILIES[name]
    changes = {"weights": {"source": "random"}, **({"kwargs": kwargs} if kwargs else {})}
    network = load_network(name, **changes)
    outputs = layer_outputs(network.module, network.layers, torch.rand(2, 3, size, size))
    maps = [network.layout.maps(out, layer)[0] for layer, out in outputs.items()]
    channels = {**PUBLISHED, **CURRENT}[name][0]
    assert [m.shape[1] for m in maps] == channels[: len(maps)]
    assert len(maps) == (1 if "config" in kwargs else len(channels))
    assert all(torch.isfinite(m).all() for m in maps)
    assert all(m.std() > 0 for m in maps), "units do not all give the same"


def test_places_alexnet_takes_227_and_refuses_224():
    network = load_network("alexnet_places365", weights={"source": "random"})
    outputs = layer_outputs(network.module, network.layers, torch.rand(1, 3, 227, 227))
    assert [out.shape[1] for out in outputs.values()] == PUBLISHED["alexnet_places365"][0]
    with pytest.raises(UserError, match=r"takes 227 x 227 images, got 224 x 224.*227"):
        layer_outputs(network.module, network.layers, torch.rand(1, 3, 224, 224))


def test_places_alexnet_refuses_224_before_anything_is_computed():
    with torch.device("meta"):
        network = load_network("alexnet_places365", weights={"source": "random"})
        with pytest.raises(UserError, match=r"takes 227 x 227 images, got 224 x 224.*227"):  # noqa: SIM117
            with Trace(network.module, network.layers, lambda *_: None) as trace:
                trace(torch.zeros(1, 3, 224, 224))


def test_every_entry_is_complete():
    for name in network_names():
        entry = network_entry(name)
        weights = entry["weights"]
        assert "extends" not in entry
        assert weights["source"] == "download"
        assert weights.get("url") or (weights["file"] and weights["obtain"])
        assert bool(weights.get("sha256")) == (
            "-" in str(weights.get("url")).rpartition("/")[2]
            and "alexnet-places365" not in weights["url"]
        )


def test_extends_lays_keys_over():
    mine = {"resnet18_imagenet": {"extends": "resnet18_imagenet", "dataset": "mine"}}
    entry = extended({"extends": "resnet18_imagenet", "weights": {"file": "w.pth"}}, mine)
    assert entry["dataset"] == "mine"
    assert entry["weights"]["file"] == "w.pth"
    assert entry["weights"]["url"].endswith("resnet18-f37072fd.pth")
    fresh = extended({"extends": "resnet18_imagenet", "weights": {"source": "random"}})
    assert fresh["weights"] == {"source": "random"}
    with pytest.raises(UserError, match="circle"):
        extended({"extends": "a"}, {"a": {"extends": "b"}, "b": {"extends": "a"}})
    with pytest.raises(UserError, match="did you mean 'resnet18_imagenet'"):
        network_entry("resnet18_imagnet")


def test_missing_weights_say_where_they_come_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UserError, match=r"resources/weights/resnet18-f37072fd.pth.*download.pytorch"
    ):
        load_network("resnet18_imagenet")
    with pytest.raises(UserError, match="Google Drive"):
        load_network("vgg11_imagenet_blurred")
    (tmp_path / "w.pth").write_bytes(b"something else")
    with pytest.raises(UserError, match=r"not the published file: SHA-256 .*expected f37072fd"):
        load_network("resnet18_imagenet", weights={"path": "w.pth"})


def test_random_weights_are_the_same_in_every_process():
    def weight(seed):
        network = load_network("squeezenet1_0_imagenet", weights={"source": "random", "seed": seed})
        return network.module.features[0].weight

    state = torch.get_rng_state()
    assert torch.equal(weight(1), weight(1))
    assert not torch.equal(weight(1), weight(2))
    assert torch.equal(state, torch.get_rng_state())


def test_table_of_the_documentation(root):
    """docs/models.md shows what `milan networks list --shapes` prints."""
    assert table(shapes) in (root / "docs/models.md").read_text(), (
        "run `milan networks list --shapes`"
    )
