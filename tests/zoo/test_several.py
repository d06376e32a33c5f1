"""Several labels on networks built by hand: units of OR, and of single concepts."""

import pytest

from milan_core.world.zoo.expressions import Joined
from milan_core.zoo.several import (
    CLUSTERS,
    COVER,
    KINDS,
    SeveralOptions,
    candidate_texts,
    drawn_units,
    label_units,
)
from milan_core.zoo.several_tables import several_block

pytest.importorskip("torch")
SMALL = SeveralOptions(images=600, units=(3, 3, 1, 1, 1, 1))


def test_parts_of_an_or_do_not_imply_one_another():
    units = drawn_units(0, SeveralOptions())
    assert {kind for kind, _ in units} == set(KINDS)
    assert len({str(unit) for _, unit in units}) == len(units)
    for kind, unit in units:
        if kind.startswith("or") and isinstance(unit, Joined):
            texts = [str(part).split() for part in unit.parts]
            for one in texts:
                for other in texts:
                    wide = set(one) - {"thing"}
                    assert one == other or not wide <= set(other)


def test_candidates_are_distinct_and_in_learned_words():
    texts = candidate_texts()
    assert len(set(texts)) == len(texts)
    assert {"circles", "red objects", "red circles", "letters", "objects"} <= set(texts)


@pytest.fixture(scope="module")
def labeled(tmp_path_factory):
    return label_units(3, SMALL, tmp_path_factory.mktemp("several"))


def test_the_cover_counts_and_the_clusters_do_not(labeled):
    for unit in labeled:
        if unit.kind in ("single", "or of two"):
            assert sorted(unit.labels[COVER]) == sorted(unit.parts)
    singles = [unit for unit in labeled if unit.kind == "single"]
    assert not all(len(unit.labels[CLUSTERS]) == 1 for unit in singles)


@pytest.mark.slow
def test_the_same_labels_again(labeled, tmp_path):
    assert labeled == label_units(3, SMALL, tmp_path)


@pytest.mark.slow
def test_the_tables_of_the_page():
    block = several_block({"oracle": None}, [3], SMALL)
    assert "| oracle | cover | 100.0 ± 0.0 | 100.0 ± 0.0 | 100.0 ± 0.0 |" in block
    assert "1 seeds (3 to 3) of other units" in block
    assert "| judge | rule | and | not | count |" in block
