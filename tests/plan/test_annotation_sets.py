"""Annotation sets in the plan: as training data, as networks to describe, in groups."""

import pytest

from milan_core.annotations import plan
from milan_core.annotations.options import expand_groups
from milan_core.core.errors import UserError
from milan_core.describers import plan as describers
from milan_core.experiments.baselines import plan as baselines
from milan_core.experiments.decoding.plan import studied
from milan_core.experiments.generalization.options import HELD_OUT, WITHIN
from milan_core.plan.checks import parse_config
from milan_core.plan.missing import check_present
from milan_core.plan.needed import needed_models
from milan_core.plan.splits import annotation_sets, described, splits, trials


def raw(**changes):
    network = {"factory": "a:b", "layers": ["x"], "dataset": "d"}
    base = {
        "models": ["net"],
        "corpus": ["mine"],
        "model_zoo": {"net": network, "enc": network},
        "dataset_zoo": {"d": {"kind": "shapes"}},
        "encoder": {"model": "enc", "layers": ["x"]},
        "annotation_sets": {"mine": {"path": "somewhere"}},
    }
    return {**base, **changes}


def test_sets_in_the_plan():
    config = parse_config(raw(corpus=["mine", "net"]))
    assert annotation_sets(config) == ["mine"]
    assert plan.annotated_networks(config) == ["net"]
    assert needed_models(config) == ["net"]
    assert splits(config)["without_net"].train == ("mine",)
    with pytest.raises(UserError, match=r"somewhere \(annotation_sets\.mine\.path\) is not there"):
        check_present(config, [], ["mine"], [])
    with pytest.raises(UserError, match="did you mean 'mine'"):
        parse_config(raw(corpus=["mien"]))
    with pytest.raises(UserError, match="'net' is in model_zoo and in annotation_sets"):
        parse_config(raw(annotation_sets={"net": {"path": "x"}}, corpus=["net"], models=["enc"]))


def test_groups_stand_for_their_sets():
    names = [f"milannotations_{a}_{d}" for a in ("alexnet", "resnet152", "biggan")
             for d in ("imagenet", "places365")]  # fmt: skip
    sets = {name: {"path": "x"} for name in names}
    config = parse_config(raw(corpus=["not-alexnet-imagenet"], annotation_sets=sets))
    assert config.corpus == names[1:]
    assert expand_groups(raw(corpus=["base"], annotation_sets=sets))["corpus"] == names
    both = expand_groups(raw(corpus=["alexnet", "imagenet"], annotation_sets=sets))["corpus"]
    assert len(both) == len(set(both)) == 4
    with pytest.raises(UserError, match="annotation_sets lacks milannotations_biggan_imagenet"):
        parse_config(raw(corpus=["gen"]))


def paper(**changes):
    """A run that learns from `base` and describes it, and a seventh set."""
    names = [f"milannotations_{a}_{d}" for a in ("alexnet", "resnet152", "biggan")
             for d in ("imagenet", "places365")]  # fmt: skip
    sets = {name: {"path": "x"} for name in [*names, "milannotations_dino_vits8_imagenet"]}
    models = ["net", "base", "dino_vits8/imagenet"]
    return raw(models=models, corpus=["base"], annotation_sets=sets, **changes), names


def test_a_set_is_described_wherever_a_network_may_be():
    body, names = paper(
        generalization={
            "seeds": [0, 1],
            "across": {"tasks": [["cls", "gen"]], "vit": [["all", "dino_vits8/imagenet"]],
                       "one": [[f"milannotations_{x}_imagenet" for x in ("alexnet", "biggan")]]},
        },
        decoding={"models": ["milannotations_alexnet_imagenet", "net"]},
    )  # fmt: skip
    config = parse_config(body)
    assert config.models == ["net", *names, "milannotations_dino_vits8_imagenet"]
    assert plan.networks(config) == needed_models(config) == ["net"]
    assert described(config) == annotation_sets(config) == config.models[1:]
    found = splits(config)
    assert found["from_cls"].train == tuple(names[:4])
    assert found["from_cls"].tests == tuple(names[4:])
    assert found["all"].tests == ("milannotations_dino_vits8_imagenet",)
    assert found["without_" + names[0]].train == tuple(names[1:])
    every = trials(config)
    assert len(every) == 2 * (7 + 6 + 2 + 1 + 1)
    assert {t.experiment for t in every} == {WITHIN, HELD_OUT, "tasks", "vit", "one"}
    rows = {(t.train_side, t.test_side) for t in every if t.experiment in ("tasks", "vit")}
    assert rows == {("cls", "gen"), ("all", "dino_vits8/imagenet")}
    assert (baselines.labeled(config), baselines.labeled_sets(config)) == ([], [])
    folder = {names[0]: {"compexp": "results"}}
    config = parse_config({**body, "baselines": {"published": folder}})
    assert baselines.labeled(config) == []
    assert baselines.labeled_sets(config) == names[:1]
    assert describers.published_labels(config, names[0]) == {"compexp": "results"}
    assert baselines.evidence(config).sets == names
    assert studied(config) == ["milannotations_alexnet_imagenet"]


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (["alexnet", "imagenet"], "would describe a network that was trained on"),
        (["all", "gen"], "would describe a network that was trained on"),
        (["alexnet", "gem"], "did you mean 'gen'"),
        (["alexnet", "all"], "unknown network, annotation set or group 'all'"),
    ],
)
def test_pairs_that_cannot_be(pair, words):
    body, _ = paper(generalization={"across": {"x": [pair]}})
    with pytest.raises(UserError, match=words):
        parse_config(body)
