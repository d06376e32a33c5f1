"""A published container from file to descriptions, its encoder included, and its conversion."""

import csv
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from paths import TESTS
from PIL import Image
from released import write_container
from website import Site

import milan_core as milan
from milan_core.captioner.at_hand import find_captioner
from milan_core.captioner.encoder import encoder_of
from milan_core.captioner.features.published import PUBLISHED, encoder_spec
from milan_core.captioner.features.pyramid import pool_pyramid
from milan_core.captioner.options import CAPTIONER_FILES
from milan_core.cli import main
from milan_core.core.errors import UserError
from milan_core.images.fetch import catalog
from milan_core.networks.inputs import prepare
from milan_core.networks.options import InputSpec
from milan_core.networks.zoo import build
from milan_core.scoring.beams import read_beams

GOLDEN = TESTS / "data/golden/decoder/decoder.pth"
NETWORK = """
from torch import nn

def build():
    return nn.Sequential(nn.Conv2d(3, 4, 7, stride=8), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.ReLU())
"""


@pytest.fixture
def site():
    served = Site()
    yield served
    served.close()


@pytest.fixture(scope="module")
def trunk():
    torch.manual_seed(0)
    return build(encoder_spec("resnet18")).eval()


@pytest.fixture(scope="module")
def container(trunk, tmp_path_factory):
    """The published layout in small: the golden decoder and prior, and a whole ResNet-18."""
    path = tmp_path_factory.mktemp("released") / "milan-mini.pth"
    return write_container(GOLDEN, trunk, path)


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
    return main(["describe", *words, "--captioner", str(captioner), *more])


def rows(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def published_features(trunk, units):
    """The published pooling: maps of the whole image, masks read at four points a cell.

    `units` are pairs of images uint8 [k, H, W, 3] and masks bool [k, H, W].
    """
    names, outputs, vectors = PUBLISHED["resnet18"].layers, {}, []
    hooks = [
        trunk.get_submodule(name).register_forward_hook(
            lambda _, __, value, name=name: outputs.update({name: value})
        )
        for name in names
    ]
    for images, masks in units:
        with torch.no_grad():
            trunk(prepare(images, InputSpec(size=224)))
        maps = [outputs[name] for name in names]
        weights = torch.from_numpy(masks[:, None].astype(np.float32))
        vectors.append(pool_pyramid(maps, weights, "bilinear"))
    for hook in hooks:
        hook.remove()
    return torch.stack(vectors).numpy()


def by_hand(out, trunk, legacy):
    """Features as published, then re-ranked beams."""
    found = milan.load_exemplars(out / "exemplars.safetensors")
    images = np.load(out / "dataset/images.npy")
    units = [(images[ids], found.masks("3", units=u)[0]) for u, ids in enumerate(found.ids("3"))]
    features = published_features(trunk, units)
    return milan.load_captioner(GOLDEN).decode(features, legacy=legacy)


@pytest.mark.parametrize("legacy", [True, False])
def test_from_images_to_descriptions(own, container, trunk, tmp_path, legacy, capsys):
    assert run(own, tmp_path, container, *(["--legacy"] if legacy else [])) == 0
    found = rows(tmp_path / "descriptions.csv")
    expected = by_hand(tmp_path, trunk, legacy)
    assert [row["description"] for row in found] == expected.captions
    scores = [float(row["score"]) for row in found]
    np.testing.assert_allclose(scores, expected.scores, atol=1e-3)
    assert (tmp_path / "atlas/index.html").is_file()
    beams = read_beams(tmp_path / "beams.safetensors")
    assert [list(texts) for texts in beams.captions] == expected.beam_captions


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


SAID = ("dogs", "red things", "the sky")


@pytest.fixture(scope="module")
def released_set(tmp_path_factory):
    """A zip in the released format: two layers of 224 pixels, three texts a unit, images beside."""
    root, rng = tmp_path_factory.mktemp("set"), np.random.default_rng(1)
    contents, rows = {}, ["layer,unit,summary"]
    for place, name in enumerate(("conv1", "4")):
        coarse = rng.integers(0, 255, (2, 3, 3, 7, 7), dtype=np.uint8)
        masks = (rng.random((2, 3, 1, 14, 14)) < 0.4).repeat(16, 3).repeat(16, 4)
        contents[f"{name}/images.npy"] = coarse.repeat(32, 3).repeat(32, 4)
        contents[f"{name}/masks.npy"] = masks.astype(np.uint8)
        ids = np.arange(6).reshape(2, 3) + 10 * place
        contents[f"{name}/ids.csv"] = "".join(
            ",".join(map(str, row)) + "\n" for row in ids.tolist()
        )
        rows += [f"{name},{unit},{text}" for unit in range(2) for text in SAID]
    rows.remove("4,0,the sky")  # a unit of two texts
    contents["annotations.csv"] = "\n".join(rows) + "\n"
    with zipfile.ZipFile(root / "net-places365.zip", "w") as archive:
        for name, value in contents.items():
            if isinstance(value, np.ndarray):
                buffer = io.BytesIO()
                np.save(buffer, value)
                value = buffer.getvalue()
            archive.writestr(f"net/places365/{name}", value)
    arrays = {key: value for key, value in contents.items() if key.endswith("npy")}
    return root / "net-places365.zip", arrays


def test_a_released_set_described_by_a_released_captioner(container, trunk, released_set, tmp_path):
    archive, arrays = released_set
    out = tmp_path / "out"
    asked = ["describe", "--set", archive, "--captioner", container, "--out", out]
    assert main([*map(str, asked), "--legacy", "--keep-features"]) == 0
    found = rows(out / "descriptions.csv")
    keys = [("4", 1), ("conv1", 0), ("conv1", 1)]
    assert [(row["layer"], int(row["unit"])) for row in found] == keys
    units = [
        (
            arrays[f"{layer}/images.npy"][unit].transpose(0, 2, 3, 1),
            arrays[f"{layer}/masks.npy"][unit, :, 0] > 0,
        )
        for layer, unit in keys
    ]
    features = published_features(trunk, units)
    expected = milan.load_captioner(GOLDEN).decode(features, legacy=True)
    assert [row["description"] for row in found] == expected.captions
    scores = [float(row["score"]) for row in found]
    np.testing.assert_allclose(scores, expected.scores, atol=1e-3)
    beams = read_beams(out / "beams.safetensors")
    assert [list(texts) for texts in beams.captions] == expected.beam_captions
    record = json.loads((out / "provenance.json").read_text())
    assert None not in record["inputs"].values()
    every = tmp_path / "every"
    asked[-1] = every
    assert main([*map(str, asked), "--count", "0", "--strategy", "greedy", "--no-mi"]) == 0
    assert len(rows(every / "descriptions.csv")) == 4
    greedy = milan.load_captioner(GOLDEN).decode(features, "greedy", mi=False)
    assert [row["description"] for row in rows(every / "descriptions.csv")][1:] == greedy.captions

    scored = ["score", "--descriptions", out / "descriptions.csv", "--references"]
    more = ["--bootstrap", "100", "--out", tmp_path / "scores.csv"]
    assert main(list(map(str, [*scored, archive, *more]))) == 0
    assert {row["method"] for row in rows(tmp_path / "scores.csv")} >= {"descriptions", "constant"}


def test_features_of_a_set_serve_the_converted_captioner(container, released_set, tmp_path, capsys):
    out, converted, again = tmp_path / "out", tmp_path / "converted", tmp_path / "again"
    main(["captioner", "convert", "--release", str(container), "--out", str(converted)])
    asked = ["describe", "--set", released_set[0], "--captioner", converted, "--out", out]
    assert main([*map(str, asked), "--keep-features"]) == 0
    features = out / "features.safetensors"
    asked = ["step", "describers.units", "--model", "net", "--features", features, "--captioner"]
    asked += [converted / name for name in CAPTIONER_FILES]
    asked += ["--descriptions", again / "descriptions.csv", "--beams", again / "beams.safetensors"]
    asked += ["--baselines", again / "baselines.csv", "--decoding"]
    assert main([*map(str, asked), "{}"]) == 0
    first, second = rows(out / "descriptions.csv"), rows(again / "descriptions.csv")
    assert [row.pop("side") for row in second] == ["test"] * 3
    assert first == second
    record = json.loads((again / "provenance.json").read_text())
    names = {Path(path).name for path in record["inputs"]}
    assert names == {*CAPTIONER_FILES, "features.safetensors"}
    assert None not in record["inputs"].values()
    assert {row["method"] for row in rows(again / "baselines.csv")} == {
        "prior_only",
        "greedy",
        "milan_tuned",
    }
    # The search with p(d) word by word is on by default, as published; --no-mi leaves it out.
    table = milan_features(features)
    for options in (
        {"strategy": "beam", "beam_size": 7},
        {"strategy": "sample", "seed": 3},
        {"strategy": "greedy", "mi": False},
        {"temperature": 0.9, "length": 4},
    ):
        assert main([*map(str, asked), json.dumps(options)]) == 0
        expected = milan.load_captioner(converted).decode(table, **options)
        texts = [row["description"] for row in rows(again / "descriptions.csv")]
        assert texts == expected.captions, options
        beams = read_beams(again / "beams.safetensors")
        wide = expected.beam_captions or [[text] for text in texts]
        assert [list(group) for group in beams.captions] == wide
    words = ["describe", "--features", features, "--captioner", converted, "--out"]
    more = ["--strategy", "greedy", "--no-mi"]
    assert main([*map(str, [*words, tmp_path / "decoded"]), *more]) == 0
    greedy = milan.load_captioner(converted).decode(table, "greedy", mi=False)
    assert [
        r["description"] for r in rows(tmp_path / "decoded/descriptions.csv")
    ] == greedy.captions
    assert main([*map(str, asked), '{"strategy": "rerank", "mi": true}']) == 2
    assert "already weighs" in capsys.readouterr().err


def milan_features(path):
    from milan_core.captioner.features.store import load_features

    return load_features(path).arrays["exact"]


def test_features_pooled_otherwise_are_refused(container, released_set, tmp_path):
    from milan_core.captioner.features.store import FeatureTable
    from milan_core.captioner.reading import check_encoder

    array = np.zeros((1, 2, 1024), np.float32)
    meta = {"encoder": "e", "pooling": {"append_area": False, "resize": "area", "seed": 0}}
    table = FeatureTable({"exact": array}, [("4", 1)], meta)
    captioner = milan.load_captioner(container)
    with pytest.raises(UserError, match=r"pooled with resize 'area', the captioner .* 'bilinear'"):
        check_encoder(captioner, table, container, tmp_path / "f")
    meta["pooling"]["resize"] = "bilinear"
    check_encoder(captioner, table, container, tmp_path / "f")
    captioner.meta["encoder_hash"] = "other"
    with pytest.raises(UserError, match="made by encoder e"):
        check_encoder(captioner, table, container, tmp_path / "f")


def test_what_is_fetched_is_what_auto_finds(site, tmp_path, monkeypatch):
    registry = {**catalog.published(), "host": site.url("")}
    monkeypatch.setattr(catalog, "published", lambda: registry)
    site.files["/models/milan-cls.pth"] = site.files["/models/milan-base.pth"] = GOLDEN.with_name(
        "lm.pth"
    ).read_bytes()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no captioner here: neither resources/milan/milan-"):
        find_captioner("auto")
    trained = Path("results/captioners/all/seed0/config.json")
    trained.parent.mkdir(parents=True)
    trained.touch()
    assert find_captioner("auto") == trained.parent
    for name in ("milan_cls", "milan_base"):
        assert main(["fetch", name]) == 0
        place = Path("resources") / catalog.find_entry(name).place
        assert find_captioner("auto") == place
    converted = Path("resources/milan/milan-gen/config.json")
    converted.parent.mkdir()
    converted.touch()
    assert find_captioner("auto") == converted.parent
    assert find_captioner("mine") == Path("mine")
