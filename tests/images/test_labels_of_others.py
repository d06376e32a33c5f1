"""Classes of tar shards and hub data sets: numbers are places, and what is passed over is said."""

from types import SimpleNamespace

import pytest

from milan_core.core.errors import UserError
from milan_core.images.kinds import huggingface
from milan_core.images.kinds.huggingface import HuggingFaceOptions, list_rows, open_rows
from milan_core.images.picture import numbered_classes
from tests.images.test_kinds import build, png, shard


def labelled(labels):
    files = {}
    for number, label in enumerate(labels):
        files |= {f"{number}.png": png(number), f"{number}.cls": str(label).encode()}
    return files


def test_numbers_without_names_keep_their_places(tmp_path):
    shard(tmp_path / "a.tar", labelled([0, 10, 2, "03"]))
    found = build("webdataset", tmp_path / "a.tar", tmp_path / "out", geometry="keep")
    assert found.labels.tolist() == [0, 10, 2, 3]
    assert found.classes == [str(number) for number in range(11)]


def test_texts_are_sorted_and_absurd_numbers_are_refused():
    assert numbered_classes(["b", "a", "", "10"]) == ["10", "a", "b"]
    assert numbered_classes(["", ""]) == []
    with pytest.raises(UserError, match="highest label is 1000000; are these classes"):
        numbered_classes(["1", "1000000"])


class Rows:
    """Rows of a data set of the hub."""

    column_names = ("image", "label")

    def __init__(self, labels, names):
        self.labels = labels
        self.features = {"label": SimpleNamespace(names=names) if names else None}

    def __getitem__(self, column):
        return self.labels

    def __len__(self):
        return len(self.labels)


@pytest.mark.parametrize(
    ("labels", "names", "expected", "classes"),
    [
        ([0, 10, None, -1], None, ["0", "10", "", ""], [str(number) for number in range(11)]),
        (["2", "10"], None, ["2", "10"], [str(number) for number in range(11)]),
        (["dog", None], None, ["dog", ""], ["dog"]),
        ([1, None, -1], ["cat", "dog"], ["dog", "", ""], ["cat", "dog"]),
    ],
)
def test_rows_of_a_hub(labels, names, expected, classes, monkeypatch):
    monkeypatch.setattr(huggingface, "without_decoding", lambda rows, column: rows)
    pictures, found = list_rows(HuggingFaceOptions(path="x"), Rows(labels, names))
    assert [picture.label for picture in pictures] == expected
    assert found == classes


def test_a_dot_in_the_name_of_a_sample_is_said(tmp_path):
    dotted = {"b.v1.png": png(1), "b.v1.cls": b"0", "b.v2.png": png(2), "b.v2.cls": b"1"}
    second = {"a.jpg": png(3)}
    shard(tmp_path / "a.tar", {**labelled(["x"]), "1.png": png(4), "1.cls": b"y", **dotted})
    found = build("webdataset", tmp_path / "a.tar", tmp_path / "out", geometry="keep")
    assert found.names == ["a.tar/0", "a.tar/1"]
    assert found.manifest["passed_over"] == {"samples without a picture": 1}
    shard(tmp_path / "b.tar", {"a.png": png(0), "a.cls": b"x", **second})
    found = build("webdataset", tmp_path / "b.tar", tmp_path / "two", geometry="keep")
    assert found.manifest["passed_over"] == {"further pictures of samples": 1}
    shard(tmp_path / "c.tar", dotted)
    with pytest.raises(UserError, match=r"no images in .* passed over 1 samples without a picture"):
        build("webdataset", tmp_path / "c.tar", tmp_path / "none")


@pytest.mark.parametrize("given", ["s[12]", "s[12]/a.tar", "s[12]/*.tar"])
def test_brackets_of_a_name_are_no_pattern_where_it_exists(given, tmp_path):
    for folder in ("s[12]", "s1"):
        (tmp_path / folder).mkdir()
        shard(tmp_path / folder / "a.tar", labelled([folder]))
    found = build("webdataset", tmp_path / given, tmp_path / "out", geometry="keep")
    assert found.classes == (["s1"] if "*" in given else ["s[12]"])


def test_the_suffix_of_labels_may_be_in_capitals(tmp_path):
    shard(tmp_path / "a.tar", {"a.png": png(0), "a.CLS": b"x"})
    found = build("webdataset", tmp_path / "a.tar", tmp_path / "out", geometry="keep", labels="CLS")
    assert found.classes == ["x"]


@pytest.mark.parametrize(("split", "wanted"), [("train", "test"), ("train[:9]", "test")])
def test_a_stored_split_is_not_taken_for_another(split, wanted, tmp_path, monkeypatch):
    (tmp_path / "state.json").write_text("{}")
    stored = SimpleNamespace(split=split)
    hub = SimpleNamespace(DatasetDict=dict, load_from_disk=lambda folder: stored)
    monkeypatch.setattr(huggingface, "optional", lambda *names: hub)
    assert open_rows(HuggingFaceOptions(path=str(tmp_path), split="train")) is stored
    with pytest.raises(UserError, match=r"holds the split 'train', not 'test'; set `split: train`"):
        open_rows(HuggingFaceOptions(path=str(tmp_path), split=wanted))
    stored.split = None
    assert open_rows(HuggingFaceOptions(path=str(tmp_path), split=wanted)) is stored
