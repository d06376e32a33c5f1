"""Which images a captioner knows: distances, shares, the file, and what is unknown."""

from types import SimpleNamespace

import numpy as np
import pytest

from milan_core.captioner.domain import (
    FILE,
    DomainCheck,
    check_domain,
    domain_of,
    fit_domain,
    load_domain,
    save_domain,
)
from milan_core.core.errors import UserError

RNG = np.random.default_rng(0)
MIXING = RNG.normal(size=(6, 6))


def like_training(count, seed=1):
    """Correlated features with a constant last one, as the area of a whole image is."""
    values = np.random.default_rng(seed).normal(size=(count, 6)) @ MIXING + 3
    return np.c_[values, np.ones(count)].astype(np.float16)


@pytest.fixture(scope="module")
def domain():
    return fit_domain(np.repeat(like_training(2000, 0), 3, axis=0), "e")


def test_distances_are_those_of_the_formula(domain):
    rows = np.unique(like_training(2000, 0), axis=0)
    assert domain.images == len(rows), "equal rows count once"
    x = like_training(5).astype(np.float64)
    size = x.shape[1]
    precision = np.zeros((size, size))
    precision[np.triu_indices(size)] = domain.precision
    precision = precision + precision.T - np.diag(np.diag(precision))
    known = domain.deviation > 0
    assert known.tolist() == [True] * 6 + [False]
    z = np.zeros_like(x)
    z[:, known] = (x[:, known] - domain.mean[known]) / domain.deviation[known]
    expected = [np.sqrt(row @ precision @ row / size) for row in z]
    assert np.allclose(domain.distances(x), expected)
    covariance = np.linalg.inv(precision[:6, :6]) - 0.1 * np.eye(6)
    assert np.allclose(np.diag(covariance), 1, atol=1e-3), "standardized numbers"


def test_images_of_the_training_are_inside_and_others_are_not(domain):
    near = DomainCheck(*domain.shares(like_training(500)), 500)
    assert near.verdict == "inside"
    assert near.share < 0.05
    shifted = like_training(500)
    shifted[:, 0] += 12 * domain.deviation[0]
    far = DomainCheck(*domain.shares(shifted), 500)
    assert far.verdict == "outside"
    assert "unlike" in far.sentence
    swapped = like_training(500)
    swapped[:, :6] = RNG.permuted(swapped[:, :6], axis=0)
    share = domain.shares(swapped)[0]
    assert share > 5 * max(near.share, 0.01), "single features as in training, together never seen"


def test_limits_of_the_verdicts():
    verdicts = [
        DomainCheck(share, far, 9).verdict
        for share, far in [(0.24, 0.0), (0.25, 0.0), (1.0, 0.75), (1.0, 0.76)]
    ]
    assert verdicts == ["inside", "partly", "partly", "outside"]
    assert DomainCheck().verdict == "unknown"
    assert "domain unknown" in DomainCheck().sentence


def test_the_file_keeps_it_and_is_small(domain, tmp_path):
    save_domain(domain, tmp_path / FILE)
    again = load_domain(tmp_path / FILE)
    assert np.array_equal(again.distances(like_training(9)), domain.distances(like_training(9)))
    assert (again.limit, again.images, again.encoder) == (domain.limit, domain.images, "e")
    assert fit_domain(like_training(20), "e") is None
    save_domain(None, tmp_path / "unknown")
    assert load_domain(tmp_path / "unknown") is None
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:-3])
    with pytest.raises(UserError, match=FILE):
        load_domain(tmp_path / FILE)


def test_a_domain_belongs_to_its_captioner(domain, tmp_path):
    captioner = SimpleNamespace(meta={"encoder_hash": "e"}, origin=tmp_path)
    assert domain_of(captioner) is None
    save_domain(domain, tmp_path / FILE)
    assert domain_of(captioner) is not None
    captioner.meta["encoder_hash"] = "other"
    with pytest.raises(UserError, match="belongs to another captioner"):
        domain_of(captioner)


class Means:
    """An encoder whose only map is the image itself."""

    dtype = np.dtype(np.float16)

    def batches(self, images, ids):
        for start in range(0, len(ids), 7):
            part = ids[start : start + 7]
            yield part, [images[part].transpose(0, 3, 1, 2).astype(np.float16)]


def test_the_images_of_a_user_are_compared(tmp_path):
    rng = np.random.default_rng(0)
    dark = rng.integers(0, 100, (300, 4, 4, 3)).astype(np.uint8)
    trained = np.c_[dark[:200].mean((1, 2)), np.ones(200)].astype(np.float16)
    save_domain(fit_domain(trained, "e"), tmp_path / FILE)
    captioner = SimpleNamespace(meta={"encoder_hash": "e"}, origin=tmp_path)
    assert check_domain(captioner, Means(), dark[200:]).verdict == "inside"
    bright = check_domain(captioner, Means(), dark[200:] + 150)
    assert (bright.verdict, bright.images) == ("outside", 100)
    assert check_domain(captioner, None, dark).verdict == "unknown"
