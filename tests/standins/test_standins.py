"""Stand-ins in published formats: what is written is read back as it was."""

import numpy as np
import pytest
import torch
import yaml
from datasets_made import build_dataset
from PIL import Image

from milan_core.cli.config import load
from milan_core.core.errors import UserError
from milan_core.core.options import parse
from milan_core.networks.catalog import network_entry
from milan_core.networks.mapping import mapped
from milan_core.networks.weight_options import DownloadWeights
from milan_core.networks.weights import read_state_dict
from milan_core.networks.zoo import load_network
from milan_core.plan.checks import parse_config
from standins import weights
from standins.make import make
from standins.pictures import drawn, write_class_folders, write_places
from standins.wanted import ClassFolders, class_folders, places_folders

PAPER = ["config/config.yaml", "config/paper.yaml"]


STORED = {
    "densenet121_imagenet": "features.denseblock1.denselayer1.norm.1.weight",
    "shufflenet_v2_x1_0_imagenet_blurred": "module.conv1.0.weight",
    "resnet18_places365": "layer4.1.bn2.running_var",
    "biggan_places365": "blocks.4.0.bn2.stored_var",
    "squeezenet1_0_imagenet": "classifier.1.weight",
}


def test_every_form_of_a_file_is_read_back():
    assert {weights.form_of(name) for name in STORED} == set(weights.FORMS.values())


@pytest.mark.parametrize(("name", "stored"), STORED.items())
def test_weights_are_written_as_published_and_read_as_configured(tmp_path, name, stored):
    entry = network_entry(name)
    if name.startswith("biggan"):
        entry["kwargs"] = {"channels": 8, "classes": 365}
    path = tmp_path / entry["weights"].get("file", "w.pth")
    entry["input"] = {**entry.get("input", {}), "size": 64}
    weights.write_weights(name, entry, path, drawn(2, 0), 3)
    state = torch.load(path, weights_only=True)
    assert stored in state.get("state_dict", state)
    network = load_network(entry, weights={"path": str(path), "sha256": None})
    random = load_network(
        entry, weights={"source": "random", "seed": weights._own(3, name)}
    ).module.state_dict()
    read = network.module.state_dict()
    # normalization is fitted, and BigGAN's weights are divided by their norms
    same = [key for key in read if torch.equal(read[key], random[key])]
    changed = {key.rpartition(".")[2] for key in read if key not in same}
    fitted = {"running_mean", "running_var", "num_batches_tracked"}
    if name.startswith("biggan"):
        left = weights._left("conv", read["layer0.conv1.weight"])
        assert changed <= {*fitted, "weight", "gamma"}
        assert left.shape == (1, len(read["layer0.conv1.weight"]))
    else:
        assert changed <= fitted
        assert ("running_var" in changed) == any("running_var" in key for key in read)


def test_checkpoints_of_networks_whose_features_ran_in_parallel(tmp_path):
    module = torch.nn.Module()
    module.features = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1))
    state, _ = weights._checkpoint(module.state_dict(), "vgg11_imagenet_blurred")
    torch.save(state, tmp_path / "w.pth")
    stored = read_state_dict(tmp_path / "w.pth")
    assert set(stored) == {"features.module.0.weight", "features.module.0.bias"}
    reading = parse(DownloadWeights, network_entry("vgg11_imagenet_blurred")["weights"], "weights")
    found = mapped(stored, module, reading, "w.pth")
    assert torch.equal(found["features.0.weight"], module.features[0].weight)


def test_large_dense_layers_take_little_room(tmp_path):
    state = {"fc.weight": torch.randn(4000, 2000), "small.weight": torch.randn(10, 10)}
    torch.save(weights._plain(state, "")[0], tmp_path / "w.pth")
    assert (tmp_path / "w.pth").stat().st_size < 40_000
    read = read_state_dict(tmp_path / "w.pth")
    assert read["fc.weight"].shape == (4000, 2000)
    assert torch.equal(read["fc.weight"][:, 7], state["fc.weight"][:, 0])
    assert torch.equal(read["small.weight"], state["small.weight"])


def test_pictures_are_in_the_published_layouts(tmp_path):
    counts = {"n01440764": 4, "n01443537": 3}
    pattern = "ILSVRC2012_val_{number:08d}.JPEG"
    shown = write_class_folders(tmp_path / "imagenet/val", counts, pattern, 0)
    modes = []
    for path in sorted(
        (tmp_path / "imagenet").rglob("*.JPEG"), key=lambda p: [s.file for s in shown].index(p.name)
    ):
        with Image.open(path) as image:
            modes.append((image.mode, image.format, bool(image.getexif())))
    assert modes[:4] == [
        *(("L", "JPEG", False), ("CMYK", "JPEG", False), ("RGB", "PNG", False)),
        ("RGB", "JPEG", True),
    ]
    raw = {"kind": "imagenet", "path": str(tmp_path / "imagenet"), "expect": 7, "size": 32}
    built = build_dataset("imagenet", raw, {}, tmp_path / "built", 0)
    assert np.bincount(built.labels).tolist() == [4, 3]
    write_places(tmp_path / "places365", "val", 8, 0)
    raw = {"kind": "places365", "path": str(tmp_path / "places365"), "expect": 8, "size": 32}
    places = build_dataset("places365", raw, {}, tmp_path / "places", 0)
    assert places.classes == [
        "airfield",
        "bakery-shop",
        "canyon",
        "field-wild",
        "kitchen",
        "street",
    ]
    assert np.bincount(places.labels).tolist() == [2, 2, 1, 1, 1, 1]


def test_a_configuration_says_how_many_pictures_there_must_be(root):
    config = parse_config(load([root / name for name in PAPER]))
    folders = {str(path): found for path, found in class_folders(config).items()}
    train = folders["resources/data/imagenet/train"].counts("train")
    assert len(train) == 10
    assert set(train.values()) == {1100}
    val = folders["resources/data/imagenet/val"]
    assert (val.total, set(val.classes.values())) == (50_000, {50})
    assert sum(val.counts("val").values()) == 50_000
    with pytest.raises(UserError, match="raise `expect`"):
        ClassFolders({"a": 5, "b": 5}, 12).counts("val")


def test_originals_are_never_written_over(root, tmp_path, monkeypatch):
    config = parse_config(load([root / name for name in PAPER]))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"pathvars.resources is 'resources'"):
        make(config, tmp_path / "elsewhere", 0, print)
    moved = {**load([root / name for name in PAPER]), "pathvars": {"resources": "resources/mine"}}
    with pytest.raises(UserError, match="is not below 'resources/mine'"):
        make(parse_config(moved), tmp_path.relative_to(tmp_path) / "resources/mine", 0, print)
    smoke = parse_config(load([root / name for name in (*PAPER, "config/smoke.yaml")]))
    (tmp_path / "resources/smoke/data").mkdir(parents=True)
    with pytest.raises(UserError, match="is there already; delete"):
        make(smoke, tmp_path / "resources/smoke", 0, print)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


# Keys of places, sizes, counts and budgets: all that the smoke run may change.
ALLOWED = {
    *("embedding", "hidden", "lm_embedding", "lm_hidden", "batch", "lm_batch", "lr"),
    *("path", "images", "expect", "count", "per_class", "offset", "size", "units", "channels"),
    *("epochs", "batch_size", "max_epochs", "fractions", "ties", "trials", "draws", "steps"),
    *("bootstrap", "seeds", "device", "notice", "results", "resources", "logs", "benchmarks"),
}


def test_the_smoke_run_changes_places_sizes_counts_and_budgets_only(root):
    overlay = yaml.safe_load((root / "config/smoke.yaml").read_text())

    def leaves(value, key=""):
        if isinstance(value, dict):
            for name, item in value.items():
                yield from leaves(item, name)
        else:
            yield key, value

    network = overlay["model_zoo"]
    for name, entry in network.items():
        if "extends" in entry:
            assert entry["extends"] == name
            assert entry.get("kwargs", {}).keys() <= {"channels", "classes"}
    paper = parse_config(load([root / name for name in PAPER]))
    fewer = overlay["generalization"]["across"]  # pairs may be left out, but not changed
    for experiment, chosen in fewer.items():
        assert {*map(tuple, chosen)} < {*map(tuple, paper.generalization.across[experiment])}
    changed = {key for key, _ in leaves(overlay)} - {"extends", "classes", *fewer}
    assert changed <= ALLOWED
    both = parse_config(load([root / name for name in (*PAPER, "config/smoke.yaml")]))
    for section in ("models", "corpus", "encoder", "describe", "audit"):
        assert getattr(both, section) == getattr(paper, section), section
    assert set(places_folders(both).values()) == {36}
