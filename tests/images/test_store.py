"""A dataset folder opens only when it is whole, and is known by its content."""

import json

import numpy as np
import pytest
from datasets_made import build_dataset

from milan_core.cli import main
from milan_core.core.errors import UserError
from milan_core.images.kinds.shapes import Shapes, ShapesOptions
from milan_core.images.store import check_unrecorded, open_dataset

SPEC = {"kind": "shapes", "count": 6}


@pytest.fixture
def built(tmp_path):
    return build_dataset("tiny", SPEC, {}, tmp_path / "tiny", 5)


def test_contents(built):
    again = open_dataset(built.folder)
    again.verify()
    assert len(again) == 6
    assert again.images.shape == (6, 64, 64, 3)
    assert (again.images.dtype, again.labels.dtype) == (np.uint8, np.int64)
    assert again.instances.shape == (6, 64, 64)
    assert again.world
    assert isinstance(again.images, np.memmap)
    assert len(again.scenes) == len(again.names) == 6
    assert again.classes[again.labels[0]] == again.names[0].split(" on ")[0]
    assert again.manifest["seed"] == 5
    assert again.manifest["spec"]["options"]["p_text"] == 0.15
    assert "tiny" in repr(again)


def test_fingerprint_is_the_content(built, tmp_path):
    other = build_dataset("other name", SPEC, {}, tmp_path / "other", 5)
    assert other.fingerprint == built.fingerprint
    assert len(built.fingerprint) == 64
    assert build_dataset("tiny", SPEC, {}, tmp_path / "seed", 6).fingerprint != built.fingerprint


def test_damage_is_named(built):
    images = np.load(built.folder / "images.npy")
    images[3, 2, 1, 0] ^= 1
    np.save(built.folder / "images.npy", images)
    with pytest.raises(UserError, match=r"images\.npy is missing or differs"):
        open_dataset(built.folder).verify()


def test_a_folder_without_a_record_is_compared_with_its_manifest(built, tmp_path, capsys):
    """By every command that is given one, and by `milan verify`."""
    assert check_unrecorded(built.folder) == 5
    assert main(["verify", str(tmp_path)]) == 0
    assert "5 recorded files compared, 0 problems" in capsys.readouterr().out
    labels = np.load(built.folder / "labels.npy")
    labels[0] = (labels[0] + 1) % len(built.classes)
    np.save(built.folder / "labels.npy", labels)
    exemplars = ["mine", "export", "--exemplars", "x", "--dataset", str(built.folder)]
    for command in (["verify", str(tmp_path)], [*exemplars, "--out", str(tmp_path / "out")]):
        assert main(command) in (1, 2)
        said = capsys.readouterr()
        assert "labels.npy is missing or differs from its manifest" in said.out + said.err
    (built.folder / "manifest.json").write_text('{"format": "somebody else\'s"}')
    assert check_unrecorded(built.folder) == check_unrecorded(tmp_path) == 0


def test_other_shapes_are_refused(built):
    np.save(built.folder / "labels.npy", np.zeros(5, np.int64))
    with pytest.raises(
        UserError, match=r"labels\.npy is int64 \(5,\), the manifest says int64 \(6,\)"
    ):
        open_dataset(built.folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"version": 2}, "format version 2, this release reads 1"), ({"format": "x"}, "not describe")],
)
def test_other_formats_are_refused(built, change, message):
    path = built.folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=message):
        open_dataset(built.folder)


def test_no_dataset(tmp_path):
    with pytest.raises(UserError, match="is not a dataset"):
        open_dataset(tmp_path)


def test_failed_build_leaves_nothing_that_opens(built, monkeypatch):
    def fail(*_args):
        raise RuntimeError

    monkeypatch.setattr("milan_core.world.scenes.paste", fail)
    with pytest.raises(RuntimeError):
        build_dataset("tiny", SPEC, {}, built.folder, 5)
    with pytest.raises(UserError, match="is not a dataset"):
        open_dataset(built.folder)
    assert not list(built.folder.glob(".*"))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"kind": "shape"}, "unknown kind 'shape'; did you mean shapes"),
        ({"kind": "shapes", "cuont": 3}, "options.cuont: unknown key; did you mean count"),
        ({"kind": "shapes", "options": {"count": "3"}}, "options.count: .* valid integer, got '3'"),
        ({"kind": "shapes", "count": True}, "options.count: .* a number .*, got True"),
        ({"kind": "shapes", "count": 0}, "options.count: .* greater than or equal to 1, got 0"),
        ({"kind": "shapes", "p_text": 1.5}, "options.p_text: .* less than or equal to 1, got 1.5"),
        ({"kind": "shapes", "main_size": [40, 20]}, "main_size: expected .smallest, largest"),
        ({"kind": "shapes", "objects": ["cirle"]}, "did you mean 'circle'"),
        ({"kind": "shapes", "surfaces": ["dot"]}, "did you mean 'dots'"),
        ({"kind": "shapes", "objects": ["star", "star"]}, "without repetition"),
        ({"kind": "shapes", "style": "google"}, "style: input should be .*, got 'google'"),
        ({"kind": "shapes", "text": "wrong", "objects": ["star"]}, "several object classes"),
        ({"kind": "stickers"}, "needs the assets emojis and miniworld, got none"),
        ({"kind": "folder"}, "options.path: field required"),
    ],
)
def test_bad_specs(spec, message, tmp_path):
    with pytest.raises(UserError, match=message):
        build_dataset("mine", spec, {}, tmp_path / "out", 0)


def test_an_entry_builds_itself(built, tmp_path):
    spec = Shapes(options=ShapesOptions(count=6), seed=5)
    assert spec.build("n", tmp_path / "n", {}, 1).fingerprint == built.fingerprint
