"""Activation tables: any sharding gives the same bytes, and values survive their storage."""

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.exemplars.table import ActivationTable, TableFacts, merge_tables, open_table

LAYERS = (("first", 3), ("second", 2))


def values(images=11, seed=0):
    rng = np.random.default_rng(seed)
    spread = np.array([1e-30, 1.0, 3e5, 0.0, 1e30])[:, None]  # beyond what float16 holds
    return (rng.normal(size=(5, images)) * spread).astype(np.float32)


def shards(array, of, mode="top"):
    images = array.shape[1]
    facts = TableFacts(
        model="net", model_hash="h", dataset="d", images=images, layers=LAYERS, mode=mode
    )
    return [
        ActivationTable(
            facts,
            np.arange(part, images, of),
            np.arange(part, images, of) % 3 == 0,
            {"max": array[:, part::of].copy()},
        )
        for part in range(of)
    ]


@pytest.mark.parametrize("of", [1, 2, 4, 11])
def test_any_sharding_gives_the_same_bytes(tmp_path, of):
    array = values()
    merge_tables(shards(array, 1)).save(tmp_path / "whole")
    parts = []
    for number, part in enumerate(shards(array, of)):
        part.save(tmp_path / f"{number}")
        parts.append(open_table(tmp_path / f"{number}"))
    merge_tables(parts[::-1], tmp_path, limit=50).save(tmp_path / "merged")
    assert (tmp_path / "merged").read_bytes() == (tmp_path / "whole").read_bytes()


def test_values_keep_eleven_bits_whatever_their_size():
    array = values()
    table = merge_tables(shards(array, 2))
    back = table.block(slice(None))
    assert np.isfinite(back).all()
    largest = np.abs(array).max(1, keepdims=True)
    assert (np.abs(back - array) <= np.maximum(np.abs(array) * 2**-11, largest * 2**-38)).all()
    assert (back[3] == 0).all()


def test_blocks_cover_the_chosen_rows_and_images():
    array = values()[1:2].repeat(5, 0) * np.arange(1, 6)[:, None].astype(np.float32)
    table = merge_tables(shards(array, 1))
    images = np.array([1, 4, 7])
    parts = list(table.blocks(images=images, rows=np.array([4, 0, 2]), limit=100))
    assert [rows.tolist() for rows, _ in parts] == [[4, 0], [2]]
    joined = np.concatenate([block for _, block in parts])
    np.testing.assert_array_equal(joined, table.block(np.array([4, 0, 2]))[:, images])
    assert table.keys[3] == ("second", 0)
    assert table.rows_of([("second", 1), ("third", 0)]).tolist() == [4, -1]


def test_shards_that_do_not_fit_are_refused():
    first = shards(values(), 2)[0]
    with pytest.raises(UserError, match="6 of 11 images"):
        merge_tables([first])
    with pytest.raises(UserError, match="same image"):
        merge_tables([first, first])
    with pytest.raises(UserError, match="mode is 'top' in one and 'bottom'"):
        merge_tables([first, shards(values(), 2, mode="bottom")[1]])


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "table"
    merge_tables(shards(values(), 1)).save(path)
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="checksum"):
        open_table(path)
