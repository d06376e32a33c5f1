"""Labels that others published, and images of one name in several folders."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from describers.test_labels import folder
from milan_core.captioner.features.store import FeatureTable
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv, write_csv
from milan_core.core.step import Compute
from milan_core.describers.concept_sources import concept_masks
from milan_core.describers.driver import write_methods
from milan_core.describers.labels import FORM
from milan_core.describers.published import published_labels
from milan_core.describers.step import ImportLabels


def test_images_of_one_name_are_told_apart_by_their_folders(tmp_path):
    """Classes count their images from 1 each: every image has its own labels, or is refused."""
    write_csv(
        tmp_path / "label.csv", ("number", "name", "category"), [(1, "dog", ""), (2, "cat", "")]
    )
    rows = [("all/dog/1.jpg", 1), ("all/cat/1.jpg", 2), ("1.jpg", 1), ("b/2.jpg", 2)]
    write_csv(tmp_path / "index.csv", ("image", "object"), rows)

    def presence(*names: str) -> list[list[bool]]:
        pictures = SimpleNamespace(names=names, name="n", fingerprint="f")
        return concept_masks(pictures, folder(tmp_path)).presence().tolist()

    dog, cat = [True, False], [False, True]
    assert presence("dog/1.jpg", "cat/1.jpg", "1.jpg", "2.jpg") == [dog, cat, dog, cat]
    with pytest.raises(UserError, match=r"'pets/1.jpg' of data set 'n' may be 'all/dog/1.jpg' or"):
        presence("pets/1.jpg")
    with pytest.raises(UserError, match=r"'b/2.jpg' of data set 'n' may be 'b/2.jpg' as 'a/2.jpg'"):
        presence("a/2.jpg", "b/2.jpg")


@pytest.mark.parametrize("table", ["index.csv", "label.csv"])
def test_a_broden_table_with_two_rows_of_one_key_is_refused(table, tmp_path):
    """Tables of two parts, one behind the other: the last row of an image counted."""
    labels, images = [(1, "dog", ""), (2, "cat", "")], [("1.jpg", 1), ("2.jpg", 2)]
    labels += [(1, "bus", "")] * (table == "label.csv")
    images += [("1.jpg", 2)] * (table == "index.csv")
    write_csv(tmp_path / "label.csv", ("number", "name", "category"), labels)
    write_csv(tmp_path / "index.csv", ("image", "object"), images)
    pictures = SimpleNamespace(names=["1.jpg", "2.jpg"], name="n", fingerprint="f")
    with pytest.raises(UserError, match=rf"{table}: \w+ '?1(.jpg)?'? has several rows, 1 such"):
        concept_masks(pictures, folder(tmp_path))


def test_published_labels_join(tmp_path):
    write_csv(
        tmp_path / "tally_units.csv", ("unit", "label"), [(u, "(a OR b-c)") for u in range(4)]
    )
    said = published_labels({"compexp": str(tmp_path)}, ["units"])
    write_methods(tmp_path / "labels.csv", said, FORM)
    rows = read_csv(tmp_path / "labels.csv")
    assert len(rows) == 4
    assert {row["method"] for row in rows} == {"compexp_published"}
    assert {row["description"] for row in rows} == {"a or b"}


def test_published_labels_of_a_set(tmp_path):
    """A set's AlexNet has the programs' own names of its layers, torchvision's has others."""
    for layer in ("conv1", "conv5"):
        write_csv(tmp_path / f"tally_{layer}.csv", ("unit", "label"), [(0, layer), (1, "dog-s")])
    rows = [(layer, unit, "text") for layer in ("conv5", "conv1") for unit in (0, 1)]
    write_csv(tmp_path / "a.csv", ("layer", "unit", "summary"), rows)
    step = {"published": {"compexp": str(tmp_path)}, "labels": tmp_path / "labels.csv"}
    layers = [("conv1", 2), ("conv5", 2)]
    facts = {"encoder": "e", "dataset": "d", "silent": [["conv5", 1, "dead"]]}
    step["features"] = tmp_path / "features"
    FeatureTable({"exact": np.ones((4, 1, 2), np.float16)}, layers, facts).save(step["features"])
    ImportLabels(annotations=tmp_path / "a.csv", **step).run(Compute())
    found = {(r["layer"], r["unit"]): r["description"] for r in read_csv(tmp_path / "labels.csv")}
    texts = {(n, u): n if u == "0" else "dog" for n in ("conv1", "conv5") for u in "01"}
    assert found == {**texts, ("conv5", "1"): ""}, "the set's own exemplars show nothing"
    write_csv(tmp_path / "b.csv", ("layer", "unit"), [("layer4", 0)])
    with pytest.raises(UserError, match="the network has the layers layer4"):
        ImportLabels(annotations=tmp_path / "b.csv", **step).run(Compute())
