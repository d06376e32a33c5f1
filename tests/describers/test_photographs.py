"""Words over photographs whose class is known, where such photographs and the weights are there."""

import pytest
from paths import ROOT

from benchmarks.photographs import measured, rows, seen
from milan_core.core.errors import UserError
from milan_core.images.fetch.installed import asset_folder
from milan_core.networks.zoo import load_network

PHOTOS = ROOT.parent / "shared/photos"
LAYERS = ["_blocks.14", "_blocks.14._bn1", "_blocks.20._bn1"]


@pytest.fixture
def here(monkeypatch):
    """The folder of the clone, with photographs beside it and weights fetched or installed."""
    monkeypatch.chdir(ROOT)
    if len(list(PHOTOS.glob("*.jpg"))) < 400:
        pytest.skip(f"no photographs in {PHOTOS}: one an ImageNet class, Class_name.jpg")
    try:
        asset_folder("efficientnet_lite0")
        asset_folder("efficientnet_lite2")
    except UserError as error:
        pytest.skip(str(error))


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["asset", "random"])
def test_held_out_photographs_bear_the_words_out(here, tmp_path, weights):
    changes = {"weights": {"source": "random"}} if weights == "random" else {}
    network = load_network("efficientnet_lite2", layers=LAYERS, **changes)
    activations, folder = measured(network, weights, PHOTOS, tmp_path)
    evidence, truth = seen(folder, network, tmp_path)
    for layer, (maxima, means) in activations.items():
        found = rows(maxima, means, evidence, truth, folds=0)
        if weights == "random":
            assert found["A"] == 0, layer
            continue
        assert found["A"] >= 12, layer
        assert found["r"] >= 0.24, layer
        assert found["r"] >= found["another's"] + 0.08, layer
        assert found["top"] >= 2 * found["all"], layer
