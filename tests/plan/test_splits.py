"""Splits of the corpus, the controls among them."""

from milan_core.captioner.plan import counted_like, training_split, trainings
from milan_core.cli.config import load, merge
from milan_core.experiments.generalization.options import MATCHED, UNMASKED
from milan_core.plan.checks import parse_config
from milan_core.plan.splits import primary_split, splits, trials


def test_controls_are_splits_of_their_own(root):
    default = load([root / "config/config.yaml"])
    plain = parse_config(default)
    assert not [name for name in splits(plain) if name.startswith(("unmasked", "matched"))]
    both = {"generalization": {"controls": ["unmasked", "matched"]}}
    config = parse_config(merge(default, both))
    found = splits(config)
    left_out = [name.removeprefix("without_") for name in found if name.startswith("without_")]
    for kind in ("unmasked", "matched"):
        assert [n for n in found if n.startswith(kind)] == [f"{kind}_{n}" for n in left_out]
        assert found[f"{kind}_resnet_mini"].train == found["without_resnet_mini"].train
    assert training_split(config, "unmasked_resnet_mini").masking == "whole"
    assert training_split(config, "matched_resnet_mini").masking == "exact"
    like = counted_like(config, "matched_resnet_mini")
    assert like is not None
    assert like.split == "within_resnet_mini"
    assert counted_like(config, "without_resnet_mini") is None
    assert len(trainings(config)) == len(trainings(plain)) + 2 * len(left_out)
    experiments = {facts.split: facts.experiment for facts in trials(config)}
    assert experiments["unmasked_resnet_mini"] == UNMASKED
    assert experiments["matched_resnet_mini"] == MATCHED
    assert primary_split(config, "resnet_mini") == "without_resnet_mini"
