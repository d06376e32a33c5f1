"""Files, seeds and locks."""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors

from milan_core.annotations.mapped import scratch_array
from milan_core.core import files, seeding, tensors
from milan_core.core.errors import UserError, unknown
from milan_core.core.lock import folder_lock
from milan_core.core.options import Content
from milan_core.images.fetch.options import Asset
from milan_core.images.fetch.registry import named


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")

    def fail():
        with files.atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_no_permission_is_a_sentence():
    with pytest.raises(UserError, match="cannot write /proc/nowhere"):
        files.write_json("/proc/nowhere/a.json", {})


def test_canonical_json_ignores_the_order_of_keys():
    assert files.canonical_json({"b": 1, "a": [1.5, "é"]}) == '{"a":[1.5,"é"],"b":1}'


def test_csv_round_trip_is_exact(tmp_path):
    value = 0.1 + 0.2
    files.write_csv(tmp_path / "t.csv", ["name", "value"], [['a, "b"', value]])
    (row,) = files.read_csv(tmp_path / "t.csv", ["value"])
    assert (row["name"], float(row["value"])) == ('a, "b"', value)
    with pytest.raises(UserError, match="missing column other"):
        files.read_csv(tmp_path / "t.csv", ["other"])


NOWHERE = Path("/proc/nowhere")
ARRAYS = {
    "a": np.arange(6, dtype=np.int64).reshape(2, 3),
    "s": np.float32(2.5),
    "e": np.zeros((0, 3)),
}


@pytest.fixture(params=[tensors.load_tensors, tensors.map_tensors], ids=["read", "mapped"])
def read(request):
    return request.param


def test_tensor_files_keep_shapes_types_and_meta(tmp_path, read):
    tensors.save_tensors(tmp_path / "t", "kind", 1, ARRAYS, {"x": [1]})
    arrays, meta = read(tmp_path / "t", "kind", dict)
    assert meta == {"x": [1]}
    for name, array in ARRAYS.items():
        assert arrays[name].shape == np.shape(array)
        assert arrays[name].dtype == np.asarray(array).dtype
        assert np.array_equal(arrays[name], array)


def test_tensor_files_are_byte_equal_for_equal_content(tmp_path):
    for name, arrays in (("a", ARRAYS), ("b", dict(reversed(ARRAYS.items())))):
        tensors.save_tensors(tmp_path / name, "kind", 1, arrays, {})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("kind", "versions", "words"),
    [("other", (1,), "holds 'kind', expected 'other'"), ("kind", (2, 3), "format version 1")],
)
def test_tensor_files_of_other_kinds_are_refused(tmp_path, read, kind, versions, words):
    tensors.save_tensors(tmp_path / "t", "kind", 1, ARRAYS)
    with pytest.raises(UserError, match=words):
        read(tmp_path / "t", kind, dict, versions)


class Facts(Content):
    places: list[tuple[str, int]]
    share: float = 0


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ({"places": [["a", {}]]}, r"metadata of .*t: places.0.1: input should be a valid integer"),
        ({"places": [["a"]]}, r"places.0.1: field required"),
        ({"places": [], "share": "1"}, r"share: input should be a valid number, got '1'"),
        ({"places": [], "more": 1}, r"more: unknown key"),
        ({}, r"places: field required"),
    ],
)
def test_metadata_of_other_types_is_refused(tmp_path, read, meta, words):
    tensors.save_tensors(tmp_path / "t", "kind", 1, ARRAYS, meta)
    with pytest.raises(UserError, match=words):
        read(tmp_path / "t", "kind", Facts)


def test_metadata_of_its_type_is_read(tmp_path, read):
    tensors.save_tensors(tmp_path / "t", "kind", 1, ARRAYS, {"places": [["a", 1]], "share": 2})
    assert read(tmp_path / "t", "kind", Facts)[1] == Facts(places=[("a", 1)], share=2)


def test_every_damaged_byte_is_noticed(tmp_path, read):
    path = tmp_path / "t"
    tensors.save_tensors(path, "kind", 1, ARRAYS, {"x": 1})
    good = path.read_bytes()
    for position in range(8, len(good), 7):
        path.write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        with pytest.raises(UserError):
            read(path, "kind", dict)
    path.write_bytes(good[: len(good) // 2])
    with pytest.raises(UserError, match="damaged"):
        read(path, "kind", dict)


@pytest.mark.parametrize("kind", ["BF16", "F8_E4M3"])
def test_types_that_numpy_lacks_are_refused(tmp_path, read, kind):
    size = 2 if kind == "BF16" else 1
    table = {"a": {"dtype": kind, "shape": [3], "data_offsets": [0, 3 * size]}}
    head = json.dumps({"__metadata__": {"milan": "{}"}, **table}).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(head).to_bytes(8, "little") + head + bytes(3 * size))
    with pytest.raises(UserError, match="damaged or not a thing file"):
        read(path, "thing", dict)


def test_tensor_files_are_those_of_the_library(tmp_path, monkeypatch):
    from safetensors.numpy import save

    monkeypatch.setattr(tensors, "PIECE", 64)
    rng = np.random.default_rng(0)
    kinds = ["?", "u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4", "u8", "i8", "f8"]
    arrays = {f"{n}é": (rng.random((3, 5, n + 1)) * 9).astype(k) for n, k in enumerate(kinds)}
    arrays |= {"empty": np.zeros((0, 4), "f4"), "point": np.array(2.5), "a": arrays["5é"][:, ::2]}
    mapped = scratch_array(tmp_path / "s", (4, 6), "f2")
    mapped[:] = np.arange(24).reshape(4, 6)
    arrays["mapped"] = mapped
    tensors.save_tensors(tmp_path / "t", "kind", 1, arrays, {"x": 'é "quoted"\n'})
    found, _ = tensors.load_tensors(tmp_path / "t", "kind", dict)
    with safetensors.safe_open(tmp_path / "t", "numpy") as handle:
        told = handle.metadata()
    dense = {
        name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()
    }
    assert (tmp_path / "t").read_bytes() == save(dense, metadata=told)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
    assert list((tmp_path / "s").iterdir()) == [], "scratch files have no name"
    with pytest.raises(ValueError, match="complex"):
        tensors.save_tensors(tmp_path / "c", "kind", 1, {"a": np.zeros(2, complex)})


def test_seeds_depend_on_seed_and_every_name():
    draws = {
        tuple(seeding.generator(seed, *names).integers(0, 2**32, 3))
        for seed, names in [(0, ("a",)), (1, ("a",)), (0, ("b",)), (0, ("a", "b")), (0, ("ab",))]
    }
    assert len(draws) == 5
    assert seeding.derive(0, "a") == seeding.derive(0, "a") < 2**63


def test_second_writer_is_refused(tmp_path):
    with (
        folder_lock(tmp_path / "out"),
        pytest.raises(UserError, match="another run is writing"),
        folder_lock(tmp_path / "out"),
    ):
        pass
    with folder_lock(tmp_path / "out"):
        pass


def test_a_folder_that_cannot_be_made_is_a_sentence():
    with pytest.raises(UserError, match="cannot write to /proc/nowhere"), folder_lock(NOWHERE):
        pass


MANY = [number for number in range(31) if number != 18]


def test_unknown_names_the_nearest():
    text = str(unknown("layer", "layre4", ["layer4", "conv1"], "ResNet"))
    assert text.startswith("unknown layer 'layre4' in ResNet; did you mean 'layer4'?")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "resnet18",
            "did you mean 'resnet8', 'resnet1', 'resnet28', 'resnet21' or 'resnet19'? (`ls` lists "
            "all 30)",
        ),
        ("xyz", f"known: {', '.join(sorted(f'resnet{n}' for n in MANY)[:20])} and 10 more (`ls`"),
    ],
)
def test_of_many_names_only_the_nearest_are_shown(name, expected):
    text = str(unknown("network", name, [f"resnet{n}" for n in MANY], "torchvision", "ls"))
    assert text.startswith(f"unknown network {name!r} in torchvision; {expected}")


def test_assets_of_the_users_own_fit_the_fetcher():
    asset = Asset(package="p", version="1", sha256="0" * 64, keep=["a/*"], licence="x", credit="y")
    assert named("mine", asset).requirement == "p==1"
