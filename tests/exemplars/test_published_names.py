"""Names of layers become folders of their own, below the folder that was asked for."""

import numpy as np
import pytest

from milan_core.core.errors import UserError
from milan_core.exemplars.layer import LayerExemplars
from milan_core.exemplars.published_import import import_legacy
from milan_core.exemplars.store import ExemplarSet
from milan_core.ops import unpack_masks

NAMES = ["../../escaped", "/abs/x", "..", "a/b", "a_b", "a b", "conv1@relu", "conv1_relu", "ü"]


def layer():
    return LayerExemplars(
        np.zeros((2, 1), np.int64), np.ones((2, 1), np.float32), np.ones(2, np.float32),
        np.ones(2, bool), maps=np.ones((2, 1, 4, 4), np.float32),
    )  # fmt: skip


def test_layers_of_any_name_have_one_folder_each_below_the_export(tmp_path):
    exemplars = ExemplarSet({name: layer() for name in NAMES}, {})
    exemplars.export_legacy(tmp_path / "in" / "out", images=None, size=8)
    folders = {path.parent for path in tmp_path.rglob("masks.npy")}
    assert len(folders) == len(NAMES)
    assert {folder.parent for folder in folders} == {tmp_path / "in" / "out"}


@pytest.mark.parametrize("name", ["layer4", "conv1", "features.3"])
def test_plain_names_are_kept_as_published(tmp_path, name):
    ExemplarSet({name: layer()}, {}).export_legacy(tmp_path, images=None, size=8)
    assert (tmp_path / name / "ids.csv").is_file()


def published(folder, units):
    """A layer of three units whose exemplar is the image of 10 times its number."""
    units = np.array(units)
    (folder / "conv1").mkdir(parents=True)
    np.savetxt(folder / "conv1" / "ids.csv", units[:, None] * 10, fmt="%d")
    np.savetxt(folder / "conv1" / "activations.csv", units[:, None] + 0.5)
    masks = np.zeros((len(units), 1, 1, 8, 8), np.uint8)
    for row, unit in enumerate(units % 8):
        masks[row, ..., unit, :] = 1
    np.save(folder / "conv1" / "masks.npy", masks)
    np.save(folder / "conv1" / "units.npy", units)
    return folder


def test_rows_of_an_import_are_the_units_that_they_are_named(tmp_path):
    read = import_legacy(published(tmp_path, [2, 0, 1]))
    assert read.ids("conv1")[:, 0].tolist() == [0, 10, 20]
    assert read.activations("conv1")[:, 0].tolist() == [0.5, 1.5, 2.5]
    masks = unpack_masks(read.packed_masks("conv1", 8), 8)[:, 0, :, 0]
    assert masks.argmax(1).tolist() == [0, 1, 2]


@pytest.mark.parametrize("units", [[3, 7, 12], [1, 2, 3], [0, 0, 1], [-1, 0, 1]])
def test_an_import_of_some_units_is_refused(tmp_path, units):
    with pytest.raises(UserError, match=r"units.npy names 3 units between .* export whole layers"):
        import_legacy(published(tmp_path, units))
