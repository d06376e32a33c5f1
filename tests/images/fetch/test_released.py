"""Published files in their true formats come through bad connections and open as such."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets_made import build_dataset
from paths import TESTS
from released import BIGGAN, codes_zip, write_container
from standins.pictures import drawn, write_class_folders, write_places
from standins.sets import write_set
from standins.weights import write_weights
from website import Step

from milan_core.annotations.images import SetImages
from milan_core.annotations.released import open_set
from milan_core.captioner.checkpoint import load_captioner
from milan_core.captioner.encoder import encoder_of
from milan_core.captioner.features.published import encoder_spec
from milan_core.images.fetch import catalog
from milan_core.images.fetch.attempt import Patience
from milan_core.images.fetch.published import published
from milan_core.images.kinds.latents import Latents, LatentsOptions
from milan_core.networks.catalog import network_entry
from milan_core.networks.generators.latents import build_latents
from milan_core.networks.options import Network
from milan_core.networks.zoo import build, load_network

GOLDEN = TESTS / "data/golden/decoder/decoder.pth"
QUICK = Patience(connect=5, read=2, attempts=3, pause=0.01)


@pytest.fixture
def fetch(tmp_path, monkeypatch, website):
    """`fetch(name, bytes)` serves bytes at the published address and fetches the entry."""
    site = website
    registry = {**published(), "host": site.url("")}
    monkeypatch.setattr(catalog, "published", lambda: registry)

    def bring(name, data, *steps):
        path = published()["files"][name]["url"]
        site.files[path], site.scripts[path] = data, list(steps)
        place = catalog.fetch_entry(catalog.find_entry(name), tmp_path / "resources", QUICK)
        assert not site.scripts[path], "every answer was asked for"
        return place

    bring.site = site
    return bring


def test_captioners(fetch, tmp_path):
    torch.manual_seed(0)
    trunk = build(encoder_spec("resnet18")).eval()
    data = write_container(GOLDEN, trunk, tmp_path / "made.pth").read_bytes()
    half = Step(cut=len(data) // 2)
    place = fetch("milan_base", data, half, Step(status=503), half)
    assert place == tmp_path / "resources/milan/milan-base.pth"
    captioner = load_captioner(place)
    features = np.load(GOLDEN.with_name("features.npz"))["features"]
    assert any(captioner.decode(features).captions)
    conv = encoder_of(captioner).model.module.get_submodule("conv1").weight
    assert torch.equal(conv, trunk.conv1.weight)


@pytest.mark.parametrize("dataset", ["imagenet", "places365"])
def test_annotation_sets(fetch, tmp_path, dataset):
    """Sets over ImageNet come without images; those of Places365 with them."""
    folder = tmp_path / "images"
    if dataset == "imagenet":
        classes = {"n01440764": 8, "n01443537": 8}
        shown = write_class_folders(folder / "val", classes, "{label}_{number}.JPEG", 0)
    else:
        shown = write_places(folder, "val", 16, 0)
    raw = {"kind": dataset, "path": str(folder), "expect": 16, "size": 64, "resize": 64}
    images = build_dataset(dataset, raw, {}, tmp_path / "built", 0)
    own = {"units": 2, "input": {"size": 64}, "weights": {"source": "random"}}
    model = {"extends": "alexnet_imagenet", "layers": ["features.0", "features.10"], **own}
    made, seen = tmp_path / "made.zip", {one.file: one for one in shown}
    write_set(f"alexnet/{dataset}", model, images, seen, made, k=5, seed=0)
    data = made.read_bytes()
    place = fetch(f"milannotations_alexnet_{dataset}", data, Step(cut=len(data) // 3), Step())
    assert place.name == f"alexnet-{dataset}.zip"
    found = open_set(place)
    assert sorted({unit.layer for unit in found}) == ["features.0", "features.10"]
    assert len(found) == 4
    assert all(len(unit.annotations) == 3 for unit in found)
    assert found[0].masks.shape == (5, 224, 224)
    with_images = dataset == "places365"
    assert all(layer.has_images == with_images for layer in found.layers.values())
    if not with_images:
        read = SetImages(found, folder, expected=16)[found[0].ids]
        assert read.shape == (5, 224, 224, 3)


def test_latent_codes(fetch):
    torch.manual_seed(0)
    codes, classes = torch.randn(2, 140), torch.tensor([2, 1])
    data = codes_zip(codes, classes)
    place = fetch("biggan_zs_imagenet", data, Step(cut=500), Step(drip=len(data) // 8))
    assert place.name == "biggan-zs-imagenet"
    options = LatentsOptions(size=32, path=str(place))
    spec = Latents(model="small", options=options, seed=7)
    found = build_latents("zs", spec, Network.model_validate(BIGGAN), place.parent / "built")
    assert (found.latents[:, :-1] == codes.numpy()).all()
    assert found.labels.tolist() == classes.tolist()


def test_weights(fetch, tmp_path):
    entry = network_entry("resnet18_places365")
    made = tmp_path / "made.pth"
    write_weights("resnet18_places365", entry, made, drawn(2, 0), 3)
    data = made.read_bytes()
    fetch.site.files["/resnet18_places365-2f475921.pth"] = data
    address = fetch.site.url("/resnet18_places365-2f475921.pth")
    weights = {**entry["weights"], "url": address, "sha256": hashlib.sha256(data).hexdigest()[:8]}
    fetch.site.scripts["/resnet18_places365-2f475921.pth"] = [Step(cut=1 << 20), Step(status=503)]
    asset = catalog.network_weights("resnet18_places365", weights)
    catalog.fetch_entry(asset, Path("resources"), QUICK)
    network = load_network("resnet18_places365", weights={"sha256": None})  # from its place
    stored = torch.load(made, weights_only=True)["state_dict"]
    assert torch.equal(network.module.fc.weight, stored["fc.weight"])
    assert torch.equal(network.module.bn1.running_var, stored["bn1.running_var"])
