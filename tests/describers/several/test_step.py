"""The step of several labels, and its column in the published table."""

from types import SimpleNamespace

import numpy as np
from datasets_made import build_dataset

from milan_core.core.files import read_csv, write_csv
from milan_core.core.step import Compute
from milan_core.describers.publish import publish_table
from milan_core.describers.several.options import SeveralOptions
from milan_core.describers.several.step import LabelSeveral
from milan_core.describers.several.table import read_labels
from milan_core.exemplars.table import ActivationTable, TableFacts, merge_tables
from milan_core.referee.judges import mini

COUNT = 400
TEXTS = ["dogs", "cats", "cars", "trees"]
SHOWN = (np.random.default_rng(0).random((len(TEXTS), COUNT)) < 0.2).astype(np.float32)
JUDGE = SimpleNamespace(
    name="judge",
    model="judge",
    columns=lambda images, texts: SHOWN[[TEXTS.index(text) for text in texts]].T[images.ids],
)


def test_a_unit_of_two_things_gets_two_labels(tmp_path, monkeypatch):
    """A unit of one thing and a dead one have none in the published table."""
    monkeypatch.setattr(mini, "load_folder", lambda *_: JUDGE)
    probe = build_dataset("probe", {"kind": "shapes", "count": COUNT}, {}, tmp_path / "probe", 1)
    values = np.stack([SHOWN[3], np.maximum(SHOWN[0], SHOWN[1]), np.zeros(COUNT, np.float32)])
    facts = TableFacts(model="net", model_hash="h", dataset="d", images=COUNT, layers=(("a", 3),))
    ids, apart = np.arange(COUNT), np.zeros(COUNT, bool)
    merge_tables([ActivationTable(facts, ids, apart, {"max": values})]).save(tmp_path / "table")
    columns = ("layer", "unit", "description", "logp", "logp_lm", "score", "status")
    rows = [["a", unit, text, -1, -5, 0, ""] for unit, text in enumerate(TEXTS[:3])]
    rows[2][2], rows[2][-1] = "", "dead"
    write_csv(tmp_path / "milan.csv", columns, rows)
    write_csv(tmp_path / "pool.csv", columns[:3], [["a", 0, "trees"], ["a", 1, "cars"]])
    LabelSeveral(
        table=tmp_path / "table",
        dataset=probe.folder,
        descriptions=[tmp_path / "milan.csv", tmp_path / "pool.csv"],
        judge=tmp_path / "judge",
        options=SeveralOptions(),
        labels=tmp_path / "labels.csv",
    ).run(Compute())
    labels = read_labels(tmp_path / "labels.csv")
    assert labels.keys() == {("a", 0), ("a", 1)}
    assert labels["a", 0] == ["trees"]
    assert set(labels["a", 1]) == {"dogs", "cats"}
    publish_table(tmp_path / "milan.csv", None, tmp_path / "d.csv", several=tmp_path / "labels.csv")
    published = read_csv(tmp_path / "d.csv")
    assert [row["labels"] for row in published] == ["", " | ".join(labels["a", 1]), ""]
