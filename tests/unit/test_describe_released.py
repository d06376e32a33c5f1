"""A published container from file to descriptions, its encoder included, and its conversion."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import milan_core as milan
from milan_core.cli import line, main
from milan_core.describe.encoding import encoder_of
from milan_core.describe.release import read_release
from milan_core.errors import UserError
from milan_core.features.published import PUBLISHED, encoder_spec
from milan_core.features.pyramid import pool_pyramid
from milan_core.models.inputs import InputSpec, prepare
from milan_core.models.zoo import build

GOLDEN = Path(__file__).parents[1] / "data/golden/decoder/decoder.pth"
NETWORK = """
from torch import nn

def build():
    return nn.Sequential(nn.Conv2d(3, 4, 7, stride=8), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.ReLU())
"""


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return tuple(map(plain, value)) if isinstance(value, tuple) else value


@pytest.fixture(scope="module")
def trunk():
    torch.manual_seed(0)
    return build(encoder_spec("resnet18")).eval()


@pytest.fixture(scope="module")
def container(trunk, tmp_path_factory):
    """The published layout in small: the golden decoder and prior, and a whole ResNet-18."""
    release = read_release(GOLDEN)
    state = dict(plain(release.state))
    state |= {f"encoder.featurizer.model.{name}": x for name, x in trunk.state_dict().items()}
    state |= {"encoder.mean": torch.zeros(1, 3, 1, 1), "encoder.std": torch.ones(1, 3, 1, 1)}
    path = tmp_path_factory.mktemp("released") / "milan-mini.pth"
    content = {"properties": plain(release.properties), "children": plain(release.children)}
    torch.save({**content, "state_dict": state}, path)
    return path


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "net.py").write_text(NETWORK)
    rng = np.random.default_rng(0)
    for index in range(17):
        pixels = rng.integers(0, 255, (6, 7, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels).resize((300, 260), Image.Resampling.BICUBIC)
        (folder / "images").mkdir(exist_ok=True)
        picture.save(folder / f"images/{index:02}.png")
    return folder


def run(own, out, captioner, *more):
    arguments = {"--model": f"{own}/net.py:build", "--images": own / "images", "--layers": "3"}
    words = [str(word) for pair in {**arguments, "--out": out}.items() for word in pair]
    return main(["describe", "run", *words, "--captioner", str(captioner), *more])


def rows(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def by_hand(own, out, trunk, legacy):
    """The published computation: maps of the whole image, masks at four points a cell, rerank."""
    found = milan.load_exemplars(out / "exemplars.safetensors")
    images = np.load(out / "dataset/images.npy")
    names, outputs, vectors = PUBLISHED["resnet18"].layers, {}, []
    for name in names:
        hook = lambda _, __, value, name=name: outputs.update({name: value})  # noqa: E731
        trunk.get_submodule(name).register_forward_hook(hook)
    for unit, ids in enumerate(found.ids("3")):
        with torch.no_grad():
            trunk(prepare(images[ids], InputSpec(224)))
        masks = torch.from_numpy(found.masks("3", units=unit)[0][:, None].astype(np.float32))
        vectors.append(pool_pyramid([outputs[name] for name in names], masks, "bilinear"))
    captioner = milan.load_captioner(GOLDEN)
    return captioner.decode(torch.stack(vectors).numpy(), legacy=legacy)


@pytest.mark.parametrize("legacy", [True, False])
def test_from_images_to_descriptions(own, container, trunk, tmp_path, legacy, capsys):
    assert run(own, tmp_path, container, *(["--legacy"] if legacy else [])) == 0
    found = rows(tmp_path / "descriptions.csv")
    expected = by_hand(own, tmp_path, trunk, legacy)
    assert [row["description"] for row in found] == expected.captions
    scores = [float(row["score"]) for row in found]
    np.testing.assert_allclose(scores, expected.scores, atol=1e-3)
    assert (tmp_path / "report/index.html").is_file()


def test_conversion_keeps_everything(container, tmp_path, capsys):
    out = tmp_path / "converted"
    assert main(["captioner", "convert", "--release", str(container), "--out", str(out)]) == 0
    assert "1024 features of resnet18, with language model" in capsys.readouterr().out
    assert not list(out.glob("*.pth"))
    released, converted = milan.load_captioner(container), milan.load_captioner(out)
    assert converted.tokenizer == released.tokenizer
    for name, tensor in released.state_dict().items():
        assert converted.state_dict()[name].equal(tensor)
    one, other = encoder_of(released), encoder_of(converted)
    assert one.hash == other.hash == converted.meta["encoder_hash"]
    features = np.load(GOLDEN.with_name("features.npz"))["features"]
    for legacy in (True, False):
        assert (
            converted.decode(features, legacy=legacy).captions
            == released.decode(features, legacy=legacy).captions
        )
    config = json.loads((out / "config.json").read_text())
    assert config["meta"]["release"]["file"] == "milan-mini.pth"
    assert config["meta"]["defaults"]["beam_size"] == 50
    assert main(["captioner", "convert", "--release", str(out), "--out", str(tmp_path / "x")]) == 2


def test_a_container_without_its_encoder(container, trunk, own, tmp_path, capsys):
    out = tmp_path / "converted"
    assert main(["captioner", "convert", "--release", str(GOLDEN), "--out", str(out)]) == 0
    assert "without its encoder" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"decoder\.pth does not hold the weights of resnet18"):
        encoder_of(milan.load_captioner(GOLDEN))
    assert run(own, tmp_path / "a", out) == 2
    assert "--encoder-weights" in capsys.readouterr().err
    torch.save(trunk.state_dict(), tmp_path / "resnet18.pth")  # as torchvision publishes it
    weights = ["--encoder-weights", str(tmp_path / "resnet18.pth")]
    encoder = encoder_of(milan.load_captioner(GOLDEN), weights=tmp_path / "resnet18.pth")
    assert encoder.hash == encoder_of(milan.load_captioner(container)).hash
    arguments = ["captioner", "convert", "--release", str(GOLDEN), "--out", str(out), *weights]
    assert main(arguments) == 0
    assert encoder_of(milan.load_captioner(out)).hash == encoder.hash


def test_weights_of_another_encoder_are_refused(container, trunk, tmp_path):
    out = tmp_path / "converted"
    main(["captioner", "convert", "--release", str(container), "--out", str(out)])
    changed = trunk.state_dict()
    changed["conv1.weight"] = changed["conv1.weight"] + 1
    torch.save(changed, tmp_path / "other.pth")
    with pytest.raises(UserError, match="the captioner was trained with"):
        encoder_of(milan.load_captioner(out), weights=tmp_path / "other.pth")


def test_auto_prefers_published_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no captioner here: neither resources/released"):
        line.find_captioner("auto")
    order = ["results/captioners/all/seed0/config.json", "resources/released/milan-cls.pth"]
    order += ["resources/released/milan-base.pth", "resources/released/milan-gen/config.json"]
    for name in order:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
        expected = Path(name).parent if name.endswith(".json") else Path(name)
        assert line.find_captioner("auto") == expected
    assert line.find_captioner("mine") == Path("mine")
