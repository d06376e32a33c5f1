"""CoSy's scores on images that a judge chose."""

import numpy as np
import pytest

from milan_core.referee.cosy import CONCEPT, concept_images, control_images, cosy, percentile


def test_a_unit_of_exactly_the_concept_has_auc_1():
    c = (np.arange(900) % 18 == 0).astype(float)
    got = cosy(c * 2.0, c, 0)
    assert (got.auc, got.images) == (1, CONCEPT)
    # Further images of the concept are among the control, where they tie with those of the concept.
    c = (np.arange(900) % 9 == 0).astype(float)
    control = control_images(concept_images(c), 900, 0)
    assert cosy(c * 2.0, c, 0).auc == pytest.approx(1 - c[control].mean() / 2)


def test_mad_and_auc_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    a, c = rng.normal(size=700), rng.random(700)
    got = cosy(a, c, 3)
    concept = concept_images(c)
    control = control_images(concept, 700, 3)
    assert len(control) == 500
    assert not set(concept) & set(control)
    pairs = [(a[i] > a[j]) + 0.5 * (a[i] == a[j]) for i in concept for j in control]
    assert got.auc == pytest.approx(np.mean(pairs))
    mad = (a[concept].mean() - a[control].mean()) / a[control].std(ddof=1)
    assert got.mad == pytest.approx(mad)


def test_concepts_outside_the_pool_have_no_score():
    c = np.zeros(600)
    c[:9] = 1
    got = cosy(np.arange(600.0), c, 0)
    assert got.images == 9
    assert np.isnan([got.auc, got.mad]).all()
    assert np.isnan(cosy(np.arange(20.0), np.ones(20), 0).auc)  # no control image is left


def test_percentile_among_texts_of_other_units():
    assert percentile(0.7, [0.1, 0.7, 0.9, np.nan]) == pytest.approx(0.5)
    assert np.isnan(percentile(0.7, []))
    assert np.isnan(percentile(np.nan, [0.5]))
