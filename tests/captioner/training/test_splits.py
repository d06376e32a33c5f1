"""Annotated units of a split: features of several networks below each other."""

import numpy as np
import pytest

from milan_core.annotations.records import Annotation, read_unit_groups, write_annotations
from milan_core.captioner.features.store import FeatureTable
from milan_core.captioner.options import TrainingSplit
from milan_core.captioner.training.splits import kept_for_test, load_units
from milan_core.core.errors import UserError
from milan_core.core.files import write_csv


def test_features_of_several_networks_are_copied_once_and_in_order(tmp_path):
    rng, paths, texts, whole = np.random.default_rng(0), [], [], []
    for name, units in (("a", 5), ("b", 300)):
        array = rng.normal(size=(units, 2, 3)).astype(np.float16)
        meta = {"encoder": "e", "dataset": "d", "pooling": {}}
        paths.append(tmp_path / f"{name}.safetensors")
        FeatureTable({"exact": array, "whole": array + 1}, [("x", units)], meta).save(paths[-1])
        kept = [unit for unit in range(units) if unit % 3]
        texts.append(tmp_path / f"{name}.csv")
        write_annotations(texts[-1], [Annotation("x", unit, f"text {unit}") for unit in kept])
        whole.append(array[kept])
    found = load_units(["a", "b"], paths, texts)
    expected = np.concatenate(whole)
    np.testing.assert_array_equal(found.features(), expected)
    assert isinstance(found.parts[0][0], np.memmap)
    rows = np.array([1, 2, 3, 150, 201])
    np.testing.assert_array_equal(found.features(rows), expected[rows])
    assert found.features().dtype == np.float16
    assert found.units[3][:2] == ("b", "x")
    texts[1].write_text("layer,unit,summary\nx,one,dogs\n")
    with pytest.raises(UserError, match=r"b\.csv, line 2: unit must be a number"):
        load_units(["a", "b"], paths, texts)
    narrow = rng.normal(size=(5, 2, 4)).astype(np.float16)
    FeatureTable({"exact": narrow}, [("x", 5)], {"encoder": "e", "dataset": "d"}).save(paths[1])
    with pytest.raises(UserError, match="features of different sizes"):
        load_units(["a", "b"], paths, texts)


def grouped(tmp_path, groups):
    """Units of one network in these groups."""
    table = FeatureTable(
        {"exact": np.zeros((len(groups), 2, 3), np.float16)},
        [("x", len(groups))],
        {"encoder": "e", "dataset": "d"},
    )
    table.save(tmp_path / "f.safetensors")
    texts = [Annotation("x", unit, "dogs") for unit in range(len(groups))]
    of_unit = {("x", unit): group for unit, group in enumerate(groups)}
    write_annotations(tmp_path / "a.csv", texts, of_unit)
    return load_units(["net"], [tmp_path / "f.safetensors"], [tmp_path / "a.csv"])


def test_groups_stay_on_one_side_of_a_split(tmp_path):
    """Two layers of one stream, 60 channels each: no channel stands on both sides."""
    units = grouped(tmp_path, [*range(60), *range(60)])
    for seed in range(10):
        tested = kept_for_test(
            units.groups, TrainingSplit(name="w", train=[], test_share=0.2, seed=seed)
        )
        assert tested.sum() == 24
        assert (tested[:60] == tested[60:]).all()
    alone = TrainingSplit(name="w", train=[], test_share=0.2, draw="units")
    tested = kept_for_test(units.groups, alone)
    assert tested.sum() == 24
    assert (tested[:60] != tested[60:]).sum() > 20, "single units leak to the other side"


def test_groups_that_are_too_large_stay_in_training(tmp_path):
    units = grouped(tmp_path, [*[7] * 30, *range(100, 120)])
    tested = kept_for_test(units.groups, TrainingSplit(name="w", train=[], test_share=0.2))
    assert tested.sum() == 10
    assert not tested[:30].any()


def test_a_split_always_tests_some_units(tmp_path):
    split = TrainingSplit(name="w", train=[], test_share=0.2)
    units = grouped(tmp_path, [*[1] * 25, *[2] * 15, *[3] * 20])
    tested = kept_for_test(units.groups, split)
    assert np.flatnonzero(tested).tolist() == list(range(25, 40)), "the smallest of three groups"
    assert kept_for_test(np.zeros(50, int), split).sum() == 10, "one group has no two sides"
    assert not kept_for_test(units.groups, TrainingSplit(name="all", train=[])).any()


def test_units_without_groups_are_drawn_as_ever(tmp_path):
    units = grouped(tmp_path, range(50))
    both = [
        kept_for_test(units.groups, TrainingSplit(name="w", train=[], test_share=0.2, draw=draw))
        for draw in ("units", "groups")
    ]
    assert (both[0] == both[1]).all()


def test_a_unit_in_two_groups_is_refused(tmp_path):
    rows = [("x", 0, "dogs", 1), ("x", 0, "cats", 2)]
    write_csv(tmp_path / "a.csv", ("layer", "unit", "summary", "group"), rows)
    with pytest.raises(UserError, match=r"line 3: layer 'x' unit 0 is in two groups"):
        read_unit_groups(tmp_path / "a.csv")
