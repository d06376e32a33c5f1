"""Tar shards, hub data sets, latent codes and images that keep their size."""

import io
import tarfile

import numpy as np
import pytest
import torch
from datasets_made import build_dataset
from PIL import Image
from released import BIGGAN

from milan_core.core.errors import UserError
from milan_core.images.kinds import webdataset
from milan_core.images.kinds.latents import Latents, LatentsOptions
from milan_core.networks.generators import latents
from milan_core.networks.generators.latents import build_latents, latent_codes
from milan_core.networks.options import Network


def picture(number, size=(32, 32)):
    rng = np.random.default_rng(number)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def png(number):
    buffer = io.BytesIO()
    picture(number).save(buffer, format="PNG")
    return buffer.getvalue()


def shard(path, files):
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def build(kind, path, out, **options):
    return build_dataset(
        "set", {"kind": kind, "options": {"path": str(path), **options}}, {}, out, 0
    )


@pytest.fixture
def shards(tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    for number in range(2):
        first, second = 2 * number, 2 * number + 1
        files = {"a/x.png": png(first), "a/x.cls": b"1", "a/x.json": b"{}"}
        shard(folder / f"{number}.tar", {**files, "y.jpg": png(second), "y.cls": b"0\n"})
    return folder


def test_members_of_a_shard_that_are_too_large_to_read(shards, tmp_path, monkeypatch):
    monkeypatch.setattr(webdataset, "PICTURE", len(png(1)) - 1)
    with pytest.raises(UserError, match=r"it has \d+ bytes, more than \d+"):
        build("webdataset", shards, tmp_path / "one", labels="")
    monkeypatch.setattr(webdataset, "LABEL", 1)
    with pytest.raises(UserError, match="the label of y has 2 bytes; a class has a few"):
        build("webdataset", shards, tmp_path / "two")


def test_tar_shards(shards, tmp_path):
    found = build("webdataset", shards, tmp_path / "out", geometry="keep", classes=["cat", "dog"])
    assert found.names == ["0.tar/a/x", "0.tar/y", "1.tar/a/x", "1.tar/y"]
    assert found.classes == ["cat", "dog"]
    assert found.labels.tolist() == [1, 0, 1, 0]
    for number in range(4):
        assert (found.images[number] == np.asarray(picture(number))).all()
    pattern = build("webdataset", shards / "*.tar", tmp_path / "two", geometry="keep", labels="")
    assert len(pattern) == 4
    assert pattern.classes == []


def test_broken_shards_are_sentences(shards, tmp_path):
    with pytest.raises(UserError, match=r"no \.txt file"):
        build("webdataset", shards, tmp_path / "out", labels="txt")
    with pytest.raises(UserError, match="has class 1, there are 1"):
        build("webdataset", shards, tmp_path / "out", classes=["cat"])
    data = (shards / "1.tar").read_bytes()
    (shards / "1.tar").write_bytes(data[:1500])
    with pytest.raises(UserError, match=r"1\.tar is (cut short|not a whole)"):
        build("webdataset", shards, tmp_path / "out")
    (shards / "1.tar").write_bytes(b"nothing of the kind" * 99)
    with pytest.raises(UserError, match="not a whole, uncompressed tar"):
        build("webdataset", shards, tmp_path / "out")
    with pytest.raises(UserError, match="no tar files"):
        build("webdataset", tmp_path / "none*", tmp_path / "out")
    shard(shards / "1.tar", {"x.png": png(0), "x.PNG": png(1)})
    with pytest.raises(UserError, match=r"x\.PNG occurs twice"):
        build("webdataset", shards, tmp_path / "out")


def test_images_of_cifar_size_keep_it(tmp_path):
    for number in range(3):
        path = tmp_path / f"in/{'ab'[number % 2]}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(path)
    found = build("folder", tmp_path / "in", tmp_path / "out", geometry="keep")
    assert found.images.shape == (3, 32, 32, 3)
    assert (found.images[0] == np.asarray(picture(0))).all()
    picture(9, (33, 32)).save(tmp_path / "in/b/9.png")
    with pytest.raises(UserError, match="has 33 x 32 pixels, the images before it 32 x 32"):
        build("folder", tmp_path / "in", tmp_path / "out", geometry="keep")
    skipped = build("folder", tmp_path / "in", tmp_path / "out", geometry="keep", on_error="skip")
    assert skipped.manifest["skipped"] == ["b/9.png"]
    assert len(skipped) == 3


def test_a_failed_build_leaves_no_data_set(tmp_path):
    (tmp_path / "in").mkdir()
    picture(0).save(tmp_path / "in/a.png")
    build("folder", tmp_path / "in", tmp_path / "out")
    (tmp_path / "in/b.png").write_bytes(b"no image")
    with pytest.raises(UserError, match="cannot read image"):
        build("folder", tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out/manifest.json").exists()
    assert not list((tmp_path / "out").glob("*.tmp"))


def test_latent_codes():
    codes = latent_codes(4000, 140, 10, 3)
    assert codes.shape == (4000, 141)
    assert codes.dtype == np.float32
    assert (codes == latent_codes(4000, 140, 10, 3)).all()
    assert (codes[:, :-1] != latent_codes(4000, 140, 10, 4)[:, :-1]).all()
    assert abs(codes[:, :-1].mean()) < 0.01
    assert abs(codes[:, :-1].std() - 1) < 0.01
    assert np.abs(codes[:, :-1]).max() > 4, "not truncated"
    counts = np.bincount(codes[:, -1].astype(int), minlength=10)
    assert len(counts) == 10
    assert counts.min() > 300


def draw(out, seed, network=BIGGAN, **options):
    spec = Latents(model="small", options=LatentsOptions(**options), seed=seed)
    return build_latents("zs", spec, Network.model_validate(network), out)


def test_a_generator_draws_its_data_set(tmp_path):
    found = draw(tmp_path / "out", 1, count=2, size=32)
    assert found.images.shape == (2, 32, 32, 3)
    assert found.latents.shape == (2, 141)
    assert found.labels.tolist() == found.latents[:, -1].astype(int).tolist()
    assert found.images.std() > 0
    codes = torch.from_numpy(found.latents[:, :-1].copy())
    folder = tmp_path / "published"
    folder.mkdir()
    torch.save(codes, folder / "z.pth")
    torch.save(torch.from_numpy(found.labels), folder / "y.pth")
    spec = {"size": 32, "path": str(folder)}
    again = draw(tmp_path / "again", 7, **spec)
    assert (again.images == found.images).all()
    assert again.fingerprint == found.fingerprint
    torch.save(torch.tensor([0, 3]), folder / "y.pth")
    with pytest.raises(UserError, match="classes 0 to 3; the generator takes 140 numbers and 3"):
        draw(tmp_path / "again", 7, **spec)
    (folder / "z.pth").unlink()
    with pytest.raises(UserError, match=r"expected two .pth files.* found y.pth torch.int64"):
        draw(tmp_path / "again", 7, **spec)
    with pytest.raises(UserError, match="latent codes not found"):
        draw(tmp_path / "again", 7, path="nowhere")


def test_pixels_are_cut_off_and_not_rounded():
    """As the published exemplars were (spec 2.3): 100.9 becomes 100."""

    class Fixed(torch.nn.Module):
        def forward(self, codes):
            return codes[:, :, None, None].expand(-1, -1, 2, 2) / 127.5 - 1

    levels = np.array([[100.9, 0.0, 255.0], [300.0, -9.0, 254.99]], np.float32)
    drawn = latents._draw(Fixed(), levels, 4, "cpu")
    assert drawn.shape == (2, 4, 4, 3)
    assert drawn[:, 0, 0].tolist() == [[100, 0, 255], [255, 0, 254]]


def test_networks_that_are_no_generators_draw_nothing(tmp_path):
    plain = {
        **BIGGAN,
        "factory": "milan_core.networks.minis.cnn:resnet_mini",
        "kwargs": {"classes": 2},
    }
    with pytest.raises(UserError, match="'small' has no code_size and classes"):
        draw(tmp_path, 1, {**plain, "layers": []})


@pytest.mark.filterwarnings("ignore:Cannot (locate|pickle)")  # from the package itself
def test_hub_data_sets(tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )
    rows = {"image": [picture(n) for n in range(3)], "label": [1, 0, -1]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "in"))
    found = build("huggingface", tmp_path / "in", tmp_path / "out", geometry="keep")
    assert found.classes == ["cat", "dog"]
    assert found.labels.tolist() == [1, 0, -1]
    assert (found.images[2] == np.asarray(picture(2))).all()
    with pytest.raises(UserError, match="unknown column 'picture'"):
        build("huggingface", tmp_path / "in", tmp_path / "out", image="picture")
    with pytest.raises(UserError, match="holds no images"):
        build("huggingface", tmp_path / "in", tmp_path / "out", image="label")


def test_without_the_package_the_hub_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(UserError, match=r"kind: huggingface.*milan-workflow\[hub\]"):
        build("huggingface", "owner/name", tmp_path / "out")
