"""Descriptions in parts: the bytes of one job, whatever the number of parts."""

import numpy as np
import pytest
from captioner.test_captioner import F, make
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milan_core.captioner.checkpoint import save_captioner
from milan_core.captioner.features.store import FeatureTable, load_features
from milan_core.captioner.options import CAPTIONER_FILES, DecodingOptions
from milan_core.core.errors import UserError
from milan_core.core.step import Compute
from milan_core.describers import blocks
from milan_core.describers.step import DescribePart, DescribeUnits

OUT = ("descriptions.csv", "beams.safetensors", "baselines.csv")
UNITS = 11


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """Inputs of the step: eleven units of two layers, two of them silent."""
    folder = tmp_path_factory.mktemp("parts")
    save_captioner(make(), folder / "captioner", {"encoder_hash": "e"})
    rng = np.random.default_rng(0)
    arrays = {
        name: rng.normal(size=(UNITS, 5, F)).astype(np.float16)
        for name in ("exact", "shuffled", "whole")
    }
    silent = [["a", 2, "dead"], ["b", 5, "saturated"]]
    meta = {"encoder": "e", "dataset": "d", "silent": silent}
    FeatureTable(arrays, [("a", 4), ("b", 7)], meta).save(folder / "features.safetensors")
    return folder


def given_to(folder, **changes):
    files = [folder / "captioner" / name for name in CAPTIONER_FILES]
    decoding = DecodingOptions(beam_size=3, length=4)
    features = folder / "features.safetensors"
    return {"model": "m", "captioner": files, "features": features, "decoding": decoding, **changes}


def make_parts(folder, out, of, **changes):
    files = [out / f"{part}-of-{of}.safetensors" for part in range(1, of + 1)]
    for part, done in enumerate(files, 1):
        DescribePart(**given_to(folder, **changes), part=part, of=of, done=done).run(Compute())
    return files


def result(folder, out, parts=(), **changes):
    out.mkdir(exist_ok=True)
    names = {name.partition(".")[0]: out / name for name in OUT}
    DescribeUnits(**given_to(folder, **changes), parts=list(parts), **names).run(Compute())
    return [(out / name).read_bytes() for name in OUT]


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(of=st.integers(1, 6), units=st.sampled_from([1, 3, 4, 20]))
def test_any_number_of_parts_gives_the_same_bytes(described, tmp_path_factory, of, units):
    out = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "UNITS", units)
        whole = result(described, out / "whole")
        assert result(described, out / "joined", make_parts(described, out, of)) == whole


def test_parts_that_do_not_fit_are_refused(described, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "UNITS", 4)
    files = make_parts(described, tmp_path, 2)
    with pytest.raises(UserError, match=r"describers.units: 1 of 3 blocks \(1\) are in none"):
        result(described, tmp_path / "o", files[:1])
    wider = DecodingOptions(beam_size=4, length=4)
    with pytest.raises(UserError, match="is a part of other work"):
        result(described, tmp_path / "o", files, decoding=wider)


def test_features_that_are_not_finite_name_their_unit(described, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "UNITS", 4)
    table = load_features(described / "features.safetensors")
    arrays = {name: np.array(array) for name, array in table.arrays.items()}
    arrays["exact"][9, 0, 0] = np.nan
    bad = tmp_path / "bad.safetensors"
    FeatureTable(arrays, table.layers, table.meta).save(bad)
    with pytest.raises(UserError, match="features of layer 'b', unit 5 are not finite"):
        result(described, tmp_path / "o", features=bad)
