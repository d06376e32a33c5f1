"""Names of layers become folders of their own, below the folder that was asked for."""

import numpy as np
import pytest

from milan_core.exemplars.layer import LayerExemplars
from milan_core.exemplars.store import ExemplarSet

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
