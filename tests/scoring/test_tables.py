"""Tables of ground truth as people and spreadsheets write them."""

import pytest

from milan_core.core.errors import UserError
from milan_core.scoring.tables import read_truth


def table(tmp_path, cell):
    path = tmp_path / "truth.csv"
    header = "layer,unit,concept,tier,coverage,support,specific,accept"
    path.write_text(f"{header}\nconv,0,dog,whole,0.5,3,{cell},dog\n")
    return path


@pytest.mark.parametrize(
    ("cells", "specific"),
    [(("1", "1.0", "TRUE", "true ", "yes"), True), (("0", "0.0", "False", "no", ""), False)],
)
def test_whether_a_unit_is_specific(cells, specific, tmp_path):
    for cell in cells:
        assert read_truth(table(tmp_path, cell))["conv", 0].specific is specific


@pytest.mark.parametrize("cell", ["WAHR", "x", "2", "nan"])
def test_another_word_for_it_is_refused(cell, tmp_path):
    with pytest.raises(
        UserError, match=rf"line 2, column 'specific': expected 1 or 0, got '{cell}'"
    ):
        read_truth(table(tmp_path, cell))
