"""Shards, files and the published layout."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from paths import ROOT
from torch import nn

from milan_core.core.errors import UserError
from milan_core.exemplars.merge import merge, merge_files
from milan_core.exemplars.mine import mine, mine_source
from milan_core.exemplars.options import MiningOptions, MiningRun
from milan_core.exemplars.published_import import import_legacy
from milan_core.exemplars.published_layout import export_legacy
from milan_core.exemplars.sources import open_source
from milan_core.exemplars.state import MiningState, merge_shards
from milan_core.exemplars.store import load_exemplars
from milan_core.exemplars.table import merge_tables, open_table
from milan_core.networks import directions
from milan_core.networks.zoo import load_network

BYTES = np.random.default_rng(1).integers(0, 256, (45, 12, 12, 3), dtype=np.uint8)
IMAGES = torch.from_numpy(BYTES).permute(0, 3, 1, 2) / 255 - 0.5


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 9, 3, stride=2), nn.ReLU())


def shards(count, images=IMAGES, **options):
    options = {"k": 4, "batch_size": 8, **options}
    return [mine(net(), images, ["1", "3"], shard=(i, count), **options) for i in range(count)]


def saved(result, path):
    result.save(path)
    return path.read_bytes()


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_any_number_of_shards_gives_the_same_bytes(count, tmp_path):
    whole = mine(net(), IMAGES, ["1", "3"], k=4, batch_size=8)
    parts = shards(count)
    for index, part in enumerate(parts):
        part.save(tmp_path / f"{index}.safetensors")
    read = [load_exemplars(tmp_path / f"{i}.safetensors") for i in reversed(range(count))]
    assert saved(merge(read), tmp_path / "merged") == saved(whole, tmp_path / "whole")


def test_merge_is_associative_and_leaves_its_inputs_alone(tmp_path):
    a, b, c = shards(3)
    before = saved(a, tmp_path / "a")
    left, right = merge([merge([a, b]), c]), merge([a, merge([c, b])])
    assert saved(left, tmp_path / "left") == saved(right, tmp_path / "right")
    assert saved(a, tmp_path / "a") == before
    assert not a.complete
    assert left.complete


def test_more_shards_than_images(tmp_path):
    parts = shards(5, images=IMAGES[:3])
    whole = mine(net(), IMAGES[:3], ["1", "3"], k=4, batch_size=8)
    assert saved(merge(parts), tmp_path / "a") == saved(whole, tmp_path / "b")


def test_a_shard_has_no_levels_yet():
    part = shards(2)[1]
    assert (part.ids("1") % 2 == 1).all()
    for ask in (part.levels, part.masks, part.resolved):
        with pytest.raises(UserError, match="this is shard 1 of 2; merge all shards first"):
            ask("1")


def states(tmp_path, parts):
    paths = [tmp_path / f"s{i}" for i in range(len(parts))]
    return [
        (part.save(path), MiningState.load(path))[1]
        for part, path in zip(parts, paths, strict=True)
    ]


def test_wrong_merges_get_a_sentence(tmp_path):
    a, b, c = states(tmp_path, shards(3))
    assert merge_shards([c, a, b]).header.complete
    with pytest.raises(UserError, match="shard 1 of 3 is missing"):
        merge_shards([a, c])
    with pytest.raises(UserError, match="shard 0 of 3 is given more than once"):
        merge_shards([a, b, a])
    with pytest.raises(UserError, match="nothing to merge"):
        merge_shards([])
    others = {
        "dataset": shards(3, images=IMAGES + 1),
        "images": shards(3, images=IMAGES[:44]),
        "k": shards(3, k=5),
        "number of shards": shards(2),
    }
    for what, parts in others.items():
        with pytest.raises(
            UserError, match=f"do not belong together: .*{what if what != 'images' else ''}"
        ):
            merge_shards([a, states(tmp_path, parts)[1], c])
    whole = mine(net(), IMAGES, "1", k=4)
    with pytest.raises(UserError, match="whole already"):
        merge([whole, shards(2)[0]])


def test_save_and_load(tmp_path):
    result = mine(net(), IMAGES, ["1", "3"], k=4)
    result.save(tmp_path / "exemplars.safetensors")
    loaded = load_exemplars(tmp_path / "exemplars.safetensors")
    assert loaded.meta == result.meta
    for name in result.layers:
        for part in ("ids", "activations", "levels", "resolved", "maps"):
            x, y = getattr(loaded.layer(name), part), getattr(result.layer(name), part)
            np.testing.assert_array_equal(x, y)
        masks = result.masks(name, 20)
        assert masks.shape == (result.units[name], 4, 20, 20)
        np.testing.assert_array_equal(loaded.masks(name, 20), masks)
        np.testing.assert_array_equal(loaded.masks(name, 20, units=[3, 1]), masks[[3, 1]])
        assert not np.array_equal(loaded.masks(name, 20, border="clamp"), masks)
        assert not loaded.masks(name, 20, levels=1e9).any()
    with pytest.raises(UserError, match="unknown layer '2'"):
        loaded.ids("2")


def test_wrong_files_get_a_sentence(tmp_path):
    path = tmp_path / "x"
    with pytest.raises(UserError, match="not found"):
        load_exemplars(path)
    shards(2)[0].save(path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(UserError, match="damaged"):
        load_exemplars(path)


def test_legacy_round_trip(tmp_path):
    result = mine(net(), IMAGES, ["1", "3"], k=4)
    export_legacy(result, BYTES, tmp_path, size=30)
    back = import_legacy(tmp_path)
    assert sorted(p.name for p in (tmp_path / "3").iterdir()) == [
        "activations.csv", "ids.csv", "images.npy", "levels.npy", "masks.npy", "units.npy",
    ]  # fmt: skip
    for name in ("1", "3"):
        np.testing.assert_array_equal(back.ids(name), result.ids(name))
        np.testing.assert_allclose(back.activations(name), result.activations(name), rtol=1e-5)
        np.testing.assert_array_equal(back.levels(name), result.levels(name))
        np.testing.assert_array_equal(back.masks(name, 30), result.masks(name, 30))
        masks = np.load(tmp_path / name / "masks.npy")
        assert masks.shape == (result.units[name], 4, 1, 30, 30)
        assert masks.dtype == np.uint8
    line = (tmp_path / "3" / "activations.csv").read_text().splitlines()[0]
    assert line == ",".join(f"{v:.5e}" for v in result.activations("3")[0])
    with pytest.raises(UserError, match="masks of 30 px"):
        back.masks("1", 224)
    back.save(tmp_path / "again")
    np.testing.assert_array_equal(
        load_exemplars(tmp_path / "again").masks("3", 30), back.masks("3", 30)
    )


def test_legacy_mistakes(tmp_path):
    with pytest.raises(UserError, match="no exemplars in"):
        import_legacy(tmp_path)
    export_legacy(mine(net(), IMAGES, "1", k=4), None, tmp_path, size=8)
    assert not (tmp_path / "1" / "images.npy").exists()
    (tmp_path / "1" / "levels.npy").unlink()
    assert np.isnan(import_legacy(tmp_path).levels("1")).all()
    (tmp_path / "1" / "ids.csv").write_text("1,2\n3,x\n")
    with pytest.raises(UserError, match="not a table of numbers"):
        import_legacy(tmp_path)
    (tmp_path / "1" / "ids.csv").write_text("1,2\n3,4\n")
    with pytest.raises(UserError, match="do not fit"):
        import_legacy(tmp_path)


def test_reading_and_merging_need_no_torch():
    code = (
        "import sys; import milan_core.exemplars.store, milan_core.exemplars.state, "
        "milan_core.exemplars.published_layout, milan_core.captioner.features.encoder; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("form", ["loader", "dataset"])
def test_shards_of_other_images_of_equal_number_are_refused(form):
    """0.1.0 looked at class and number: a shard of other images merged as complete."""
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3)).eval()

    def shard(seed, part):
        pixels = torch.randn(12, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
        images = torch.utils.data.TensorDataset(pixels)
        if form == "loader":
            images = torch.utils.data.DataLoader(images, batch_size=5)
        return mine(network, images, ["0"], k=2, batch_size=4, shard=(part, 2))

    assert merge([shard(0, 0), shard(0, 1)]).complete
    with pytest.raises(UserError, match=r"do not belong together: (dataset|content)"):
        merge([shard(0, 0), shard(1, 1)])


def blocked(images_parts, unit_parts, **options):
    options = {"k": 4, "batch_size": 8, "bands": 2, "sample": 20, "band_size": 2, **options}
    return [
        mine(net(), IMAGES, ["1", "3"], shard=(i, images_parts), block=(u, unit_parts), **options)
        for u in range(unit_parts)
        for i in range(images_parts)
    ]


@pytest.mark.parametrize(("images", "units"), [(1, 2), (3, 1), (2, 5), (1, 6)])
def test_shards_of_units_give_the_same_bytes(images, units, tmp_path):
    """With bands, distributions, units that never change and the table."""
    options = {"table": ("max", "mean")}
    (whole,) = blocked(1, 1, **options)
    parts = blocked(images, units, **options)
    for index, part in enumerate(parts):
        part.save(tmp_path / f"{index}.safetensors")
        assert part.table is not None
        part.table.save(tmp_path / f"{index}.table")
    order = list(reversed(range(len(parts))))
    merged = merge([load_exemplars(tmp_path / f"{i}.safetensors") for i in order])
    assert merged.complete
    assert saved(merged, tmp_path / "merged") == saved(whole, tmp_path / "whole")
    files = [tmp_path / f"{i}.safetensors" for i in order]
    assert saved(merge_files(files), tmp_path / "files") == saved(whole, tmp_path / "whole")
    with pytest.raises(UserError, match="is given more than once"):
        merge_files([*files, files[0]])
    with pytest.raises(UserError, match="is missing"):
        merge_files(files[1:])
    tables = merge_tables([open_table(tmp_path / f"{i}.table") for i in order], tmp_path)
    assert saved(tables, tmp_path / "a") == saved(merge_tables([whole.table]), tmp_path / "b")


def test_an_incomplete_set_of_units_is_refused(tmp_path):
    parts = blocked(2, 3, table=("max",))
    with pytest.raises(UserError, match="unit shard 1 of 3 is missing"):
        merge([*parts[:2], *parts[4:]])
    with pytest.raises(UserError, match="shard 1 of 2 is missing"):
        merge(parts[:5])
    with pytest.raises(UserError, match="shard 0 of 2 is given more than once"):
        merge([*parts, parts[0]])
    with pytest.raises(UserError, match="do not belong together: blocks is 3 in one and 2"):
        merge([*parts, *blocked(2, 2)])
    assert not merge(parts[:2]).complete
    with pytest.raises(UserError, match="unit shard 1 of 3 is missing"):
        merge_tables([part.table for part in [*parts[:2], *parts[4:]]])
    with pytest.raises(UserError, match="layer '1' has 6 units, fewer than"):
        blocked(1, 7)
    with pytest.raises(UserError, match=r"block is \(2, 2\)"):
        mine(net(), IMAGES, "1", k=4, block=(2, 2))


def test_a_block_of_a_dictionary_computes_its_own_units(tmp_path, monkeypatch):
    """Also for TopK: the units of other blocks compete."""
    monkeypatch.setattr(directions, "PIECE", 4)
    rng = np.random.default_rng(0)
    np.save(tmp_path / "d.npy", rng.normal(size=(11, 9)).astype(np.float32))
    entry = {"layer": "blocks.4", "path": str(tmp_path / "d.npy"), "top_k": 3}
    spec = {
        "factory": "milan_core.networks.minis.cnn:resnet_mini",
        "kwargs": {"classes": 3, "widths": [4, 6, 9]},
        "weights": {"source": "random"},
        "layers": ["blocks.4"],
    }

    def mined(*block):
        network = load_network(spec, directions={"sae": entry})
        run = {"options": MiningOptions(k=3), "run": MiningRun(batch_size=8)}
        return mine_source(network, open_source(IMAGES, network.input), block=block, **run)

    parts = [mined(i, 3) for i in range(3)]
    assert [part.units for part in parts] == [{"blocks.4": 3, "sae": n} for n in (4, 4, 3)]
    merged = merge(parts)
    assert saved(merged, tmp_path / "merged") == saved(mined(0, 1), tmp_path / "whole")
