"""No image that scores is an image that was shown: the recipes of quick draw different scenes."""

import hashlib

import pytest

from milan_core.core.yaml_files import load_yaml
from milan_core.exemplars.plan import heldout_dataset
from milan_core.images.kind import kind_class
from milan_core.plan.checks import parse_config
from milan_core.referee.plan import candidates

FEW = 40


def digests(config, name, folder):
    """Digests of the first images of a data set; of a drawn one those of its scenes."""
    spec = config.dataset_zoo[name]
    while getattr(spec, "scenes", None):
        spec = config.dataset_zoo[spec.scenes]
    raw = spec.model_dump(mode="json")
    raw["options"]["count"] = FEW
    raw["twin_of"] = None
    dataset = kind_class(spec.kind)(**raw).build(name, folder / name, {}, 1)
    return {hashlib.sha256(image.tobytes()).hexdigest() for image in dataset.images}


@pytest.fixture(scope="module")
def config(root):
    raw = load_yaml(root / "config/config.yaml")
    for key, value in load_yaml(root / "config/quick.yaml").items():
        raw[key] = {**raw[key], **value} if isinstance(raw.get(key), dict) else value
    return parse_config(raw)


def test_no_scored_image_was_ever_shown(config, tmp_path):
    networks = candidates(config)
    scored = {heldout_dataset(config, name) for name in networks}
    shown = {config.model_zoo[name].dataset for name in networks}
    shown |= {
        name for net in networks if (t := config.model_zoo[net].training) for name in t.datasets
    }
    shown.add(config.baselines.dataset)
    assert len(scored) == 2
    assert not scored & shown
    unseen = {name: digests(config, name, tmp_path) for name in scored}
    for name in sorted(shown):
        for other, images in unseen.items():
            assert len(images) == FEW
            assert not images & digests(config, name, tmp_path), (name, other)
