"""Judges of a configuration: names that exist, and none that is a describer."""

import pytest

from milan_core.core.errors import UserError
from milan_core.core.yaml_files import load_yaml
from milan_core.plan.checks import parse_config
from milan_core.referee.plan import mini_encoder, mini_judge, mini_training

CLIP = {"kind": "dual_encoder", "source": "models/clip"}
MINI = {"kind": "mini", "dataset": "stickers_train", "encoder": "efficientnet_lite0"}


def parsed(root, judges, **changes):
    raw = load_yaml(root / "config/config.yaml")
    raw["referee"] = {**raw["referee"], "judges": judges}
    return parse_config({**raw, **changes})


def test_the_default_trains_a_judge_on_training_scenes(root):
    config = parse_config(load_yaml(root / "config/config.yaml"))
    assert mini_judge(config).dataset == "stickers_train"
    assert mini_encoder(config).layers == ["_blocks.4", "_blocks.10", "_blocks.15"]
    assert mini_training(config).grid == 8
    config = parsed(root, [{"kind": "oracle"}])
    assert (mini_judge(config), mini_encoder(config)) == (None, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "stickers_trian"}, "unknown data set 'stickers_trian'.*stickers_train"),
        ({"encoder": "efficientnet"}, "unknown model 'efficientnet'"),
        ({"dataset": "stickers_heldout"}, "read for the training of the mini judge"),
        ({"step": 3}, "unknown key of kind mini|unknown key"),
    ],
)
def test_a_mini_judge_of_wrong_names_is_refused(root, changes, message):
    with pytest.raises(UserError, match=message):
        parsed(root, [{**MINI, **changes}])


def test_two_mini_judges_are_refused(root):
    with pytest.raises(UserError, match="of kind mini; expected one at most"):
        parsed(root, [MINI, MINI])


@pytest.mark.parametrize("source", ["models/clip", "./models/../models/clip"])
def test_a_describer_s_model_is_no_judge(root, source):
    clip = {"clip": {"source": source, "weight": 0.5}}
    with pytest.raises(UserError, match="judge 'dual_encoder' and variant 'two' are the same"):
        parsed(root, [CLIP], variants={"two": clip})
    other = {"clip": {"source": "models/other", "weight": 0.5}}
    assert parsed(root, [CLIP], variants={"two": other}).variants
