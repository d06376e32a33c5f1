import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milan_core import ops
from milan_core.core.errors import UserError
from milan_core.ops.formulas import (
    AND,
    AND_NOT,
    NONE,
    OR,
    SparseMasks,
    compose,
    concept_overlaps,
    mask_words,
)
from milan_core.ops.reference import formulas as reference


def sparse(masks):
    """`SparseMasks` of boolean masks (groups, members, H, W): those with a pixel."""
    masks = np.asarray(masks, bool)
    group, member = np.nonzero(masks.any((2, 3)))
    starts = np.searchsorted(group, np.arange(len(masks) + 1)).astype(np.int64)
    return SparseMasks(starts, member, mask_words(ops.pack_masks(masks[group, member])))


def world(seed, units=6, concepts=7, images=5, size=9, density=0.4):
    """Boolean masks of units (U, N, H, W) and concepts (C, N, H, W), most of them empty."""
    rng = np.random.default_rng(seed)
    there = rng.random((units + concepts, images, 1, 1)) < 0.6
    masks = (rng.random((units + concepts, images, size, size)) < density) & there
    return masks[:units], masks[units:]


def both_sides(units, concepts):
    return sparse(units), sparse(concepts.transpose(1, 0, 2, 3)), len(concepts)


def formula_mask(joins, chosen, concepts):
    mask = np.zeros(concepts.shape[1:], bool)
    for join, which in zip(joins, chosen, strict=True):
        if join == OR:
            mask = mask | concepts[which]
        elif join == AND:
            mask = mask & concepts[which]
        elif join == AND_NOT:
            mask = mask & ~concepts[which]
    return mask


def iou(a, b):
    return (a & b).sum() / max((a | b).sum(), 1)


def test_overlaps_are_pixel_counts(isa):
    units, concepts = world(0)
    got = concept_overlaps(*both_sides(units, concepts))
    want = (units[:, None] & concepts[None]).sum((2, 3, 4))
    assert (got == want).all()
    assert (reference.concept_overlaps(*both_sides(units, concepts)) == want).all()


@pytest.mark.parametrize("seed", range(4))
def test_search_equals_the_reference(isa, seed):
    sides = both_sides(*world(seed, density=[0.05, 0.2, 0.5, 0.9][seed]))
    for beam, length in ((1, 1), (2, 3), (5, 3), (3, 4)):
        for threads in (1, 2):
            got = compose(*sides, beam=beam, length=length, threads=threads)
            want = reference.compose(*sides, beam, length)
            for mine, theirs in zip(
                (got.joins, got.concepts, got.both, got.either), want, strict=True
            ):
                assert (mine == theirs).all()


def test_counts_are_those_of_the_formula(isa):
    units, concepts = world(7)
    found = compose(*both_sides(units, concepts), beam=5, length=3)
    for row, unit in enumerate(units):
        mask = formula_mask(found.joins[row], found.concepts[row], concepts)
        assert found.both[row] == (unit & mask).sum()
        assert found.either[row] == (unit | mask).sum()
        assert found.iou[row] == iou(unit, mask)


def test_a_wide_beam_finds_the_best_of_all_formulas():
    """Exhaustive search over every formula of two concepts that share a pixel with the unit."""
    units, concepts = world(3, concepts=5)
    found = compose(*both_sides(units, concepts), beam=100, length=2)
    for row, unit in enumerate(units):
        there = [c for c in range(5) if (unit & concepts[c]).any()]
        every = [((OR,), (c,)) for c in there]
        every += [
            ((OR, j), p) for p in itertools.permutations(there, 2) for j in (OR, AND, AND_NOT)
        ]
        best = max((iou(unit, formula_mask(j, p, concepts)) for j, p in every), default=0.0)
        assert found.iou[row] == best


@pytest.mark.parametrize(
    ("joins", "parts"),
    [((OR, NONE, NONE), (2, -1, -1)), ((OR, AND, NONE), (1, 3, -1)), ((OR, OR, OR), (0, 4, 5))],
)
def test_a_planted_formula_is_found(isa, joins, parts):
    _, concepts = world(11, images=12)
    unit = formula_mask(joins, parts, concepts)[None]
    found = compose(*both_sides(unit, concepts), beam=5, length=3)
    assert found.iou[0] == 1.0
    assert found.joins[0].tolist() == list(joins)
    assert sorted(found.concepts[0].tolist()) == sorted(parts)


def test_and_not_needs_a_concept_that_the_unit_touches(isa):
    """As published: only concepts of non-zero IoU extend a formula."""
    _, concepts = world(11, images=12)
    unit = formula_mask((OR, AND_NOT), (1, 3), concepts)
    without = compose(*both_sides(unit[None], concepts), beam=5, length=2)
    assert (AND_NOT, 3) not in zip(without.joins[0], without.concepts[0], strict=True)
    unit[tuple(np.argwhere(concepts[1] & concepts[3])[0])] = True
    found = compose(*both_sides(unit[None], concepts), beam=5, length=2)
    assert (found.joins[0].tolist(), found.concepts[0].tolist()) == ([OR, AND_NOT], [1, 3])
    assert found.either[0] - found.both[0] == 1


def test_a_unit_without_pixels_has_no_formula(isa):
    units, concepts = world(5)
    units[2] = False
    found = compose(*both_sides(units, concepts))
    assert found.concepts[2].tolist() == [-1, -1, -1]
    assert found.joins[2].tolist() == [NONE] * 3
    assert found.both[2] == 0 == found.iou[2]


def test_order_of_parts_does_not_matter():
    canonical = reference.canonical
    assert canonical(((OR, 1), (OR, 2), (OR, 3))) == canonical(((OR, 3), (OR, 1), (OR, 2)))
    assert canonical(((OR, 1), (AND, 2), (AND_NOT, 3))) == canonical(
        ((OR, 2), (AND_NOT, 3), (AND, 1))
    )
    assert canonical(((OR, 1), (OR, 2), (AND, 3))) == canonical(((OR, 2), (OR, 1), (AND, 3)))
    assert canonical(((OR, 1), (AND, 2), (OR, 3))) != canonical(((OR, 1), (OR, 3), (AND, 2)))
    assert canonical(((OR, 1), (AND_NOT, 2))) != canonical(((OR, 2), (AND_NOT, 1)))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 12))
def test_any_world(seed, length, size):
    sides = both_sides(*world(seed, units=3, concepts=4, images=3, size=size))
    got = compose(*sides, beam=3, length=length)
    want = reference.compose(*sides, 3, length)
    assert (got.concepts == want[1]).all()
    assert (got.joins == want[0]).all()


def test_refusals():
    units, concepts = world(0)
    other = both_sides(units[..., :4, :4], concepts[..., :4, :4])[0]
    mine, theirs, count = both_sides(units, concepts)
    with pytest.raises(UserError, match="make both at one size"):
        compose(other, theirs, count)
    with pytest.raises(UserError, match=r"length in 1\.\.8, got 5 and 9"):
        compose(mine, theirs, count, 5, 9)
    with pytest.raises(UserError, match="not below their number 3"):
        concept_overlaps(mine, theirs, 3)
    with pytest.raises(UserError, match=r"uint8 \(..., H, row bytes\)"):
        mask_words(np.zeros((2, 3), bool))
    broken = SparseMasks(mine.starts, mine.members[::-1].copy(), mine.bits)
    with pytest.raises(UserError, match="do not fit together"):
        compose(broken, theirs, count)
