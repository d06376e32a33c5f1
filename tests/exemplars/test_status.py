"""Units that show nothing: never active, one value, never above their level."""

import numpy as np
import pytest
import torch
from torch import nn

from milan_core.captioner.features.store import FeatureTable, load_features
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.describers.constant import Constant
from milan_core.describers.describer import TableForm
from milan_core.describers.driver import describe, write_all
from milan_core.describers.publish import publish_table
from milan_core.describers.sources import ExemplarUnits, FeatureUnits
from milan_core.exemplars.merge import merge
from milan_core.exemplars.mine import mine
from milan_core.exemplars.store import load_exemplars
from milan_core.networks.options import InputSpec
from milan_core.scoring.tables import scored_descriptions

PIXELS = np.random.default_rng(0).integers(0, 255, (20, 16, 16, 3), dtype=np.uint8)
VIEW = InputSpec(size=16)
STATUS = ["dead", "constant", "active", "active", "active"]


class Units(nn.Module):
    """Units of a ReLU: always 0, always 3, and usual ones; `late` becomes active in image 19."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        conv = nn.Conv2d(3, 5, 3)
        with torch.no_grad():
            conv.weight[:2] = 0
            conv.bias[0], conv.bias[1] = 0, 3
        self.conv, self.relu, self.cap = conv, nn.ReLU(), nn.Hardtanh(0, 2**-6)

    def forward(self, x):
        return self.cap(self.relu(self.conv(x)))


def mined(layer="relu", images=PIXELS, **options):
    options = {"k": 5, "batch_size": 8, "input": VIEW, **options}
    return mine(Units().eval(), images, [layer], **options)


@pytest.mark.parametrize("mode", ["top", "bottom", "magnitude"])
@pytest.mark.parametrize("batch_size", [1, 8, 64])
def test_dead_and_constant_units_have_a_status(mode, batch_size):
    found = mined(mode=mode, batch_size=batch_size)
    assert found.status("relu")[:2].tolist() == STATUS[:2]
    if mode != "bottom":  # the smallest value of a ReLU is 0, and frequent
        assert found.status("relu").tolist() == STATUS
    assert found.silent()["relu", 1] == "constant"


def test_units_that_never_rise_above_their_level_are_saturated():
    """Hardtanh ends at 1 / 64, an edge of a bin, which many positions reach."""
    status = mined("cap").status("cap")
    masks = mined("cap").masks("cap", 16).any((1, 2, 3))
    assert status[:2].tolist() == ["dead", "constant"]
    assert ((status == "active") == masks).all()
    assert (status == "saturated").any()


def test_one_image_that_differs_makes_a_unit_active():
    class Late(Units):
        def forward(self, x):
            bright = (x.mean((1, 2, 3), keepdim=True) > 2).float()
            return self.relu(self.conv(x) + bright)

    images = PIXELS.copy()
    images[-1] = 255
    found = mine(Late().eval(), images, ["relu"], k=5, batch_size=4, input=VIEW, quantile=0.9)
    assert found.status("relu")[:2].tolist() == ["active", "active"]


@pytest.mark.parametrize("count", [1, 3, 25])
def test_shards_agree_and_files_keep_it(count, tmp_path):
    whole = mined()
    whole.save(tmp_path / "whole")
    parts = []
    for index in range(count):
        mined(shard=(index, count)).save(tmp_path / f"{index}")
        parts.append(load_exemplars(tmp_path / f"{index}"))
    merge(parts[::-1]).save(tmp_path / "merged")
    assert (tmp_path / "merged").read_bytes() == (tmp_path / "whole").read_bytes()
    assert load_exemplars(tmp_path / "merged").status("relu").tolist() == STATUS


def test_a_quantile_of_one_is_refused():
    with pytest.raises(UserError, match=r"quantile.*less than 1"):
        mined(quantile=1)


def test_they_get_no_text_and_a_status(tmp_path):
    """With the table, its published copy, and features that were pooled from the exemplars."""
    found = mined()
    said = describe(Constant("a bird", {"logp_lm": -1.0}), ExemplarUnits(found))
    assert [row.status for row in said.rows] == [*STATUS[:2], *["described"] * 3]
    write_all(tmp_path, said, TableForm(("logp", "logp_lm", "score")))
    publish_table(tmp_path / "descriptions.csv", None, tmp_path / "published.csv")
    for name in ("descriptions.csv", "published.csv"):
        rows = read_csv(tmp_path / name)
        assert [row["description"] for row in rows] == ["", "", *["a bird"] * 3]
        assert [row["status"] for row in rows] == ["dead", "constant", "", "", ""]
        assert rows[0]["score"] == "" != rows[2]["logp_lm"]
    scored, silent = scored_descriptions(tmp_path / "published.csv")
    assert (len(scored), list(silent.values())) == (3, ["dead", "constant"])
    made = {"encoder": "e", "dataset": "d"}
    facts = {**made, "silent": [["relu", 0, "dead"], ["relu", 1, "constant"]]}
    table = FeatureTable({"exact": np.ones((5, 5, 2), np.float16)}, [("relu", 5)], facts)
    table.save(tmp_path / "features")
    units = FeatureUnits(load_features(tmp_path / "features"), tmp_path / "features")
    assert units.silent == found.silent()


def test_tables_without_such_units_are_as_before(tmp_path):
    units = ExemplarUnits(mined("conv"))
    kept = [key for key in units.keys if key[1] > 1]
    assert {key[1] for key in units.silent} == {0, 1}
    assert not any(key in units.silent for key in kept)
    table = FeatureTable(
        {"exact": np.ones((5, 5, 2), np.float16)}, [("relu", 5)], {"encoder": "e", "dataset": "d"}
    )
    table.save(tmp_path / "features")
    features = FeatureUnits(load_features(tmp_path / "features"), tmp_path / "features")
    said = describe(Constant("a bird", {"logp_lm": -1.0}), features)
    write_all(tmp_path, said, TableForm(("logp_lm",)))
    assert (tmp_path / "descriptions.csv").read_text().splitlines()[0] == (
        "layer,unit,description,logp_lm"
    )
