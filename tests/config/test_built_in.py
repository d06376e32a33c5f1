"""Built-in networks and data sets join a configuration by name, with everything they need."""

import pytest

from milan_core.config import built_in_datasets, built_in_networks, parse_sections, with_built_in
from milan_core.core.errors import UserError
from milan_core.plan.checks import parse_config


def raw(**changes):
    base = {
        "models": ["vit_mini"],
        "corpus": ["resnet_mini", "alexnet_mini"],
        "encoder": {"model": "efficientnet_lite0", "layers": ["_blocks.2"]},
        "analyze": {"models": []},
    }
    return {**base, **changes}


def test_names_bring_what_their_entries_name():
    config = parse_config(raw())
    assert {*config.model_zoo} == {"vit_mini", "resnet_mini", "alexnet_mini", "efficientnet_lite0"}
    assert {*config.dataset_zoo} == {
        "stickers_probe", "stickers_train", "stickers_test", "stickers_alt", "stickers_heldout",
    }  # fmt: skip
    drawn = parse_config(raw(models=["generator_mini"]))
    assert {"drawn_probe", "drawing_scenes"} <= {*drawn.dataset_zoo}


def test_every_built_in_entry_is_sound():
    everything = {
        "model_zoo": {name: {} for name in built_in_networks()},
        "dataset_zoo": {name: {} for name in built_in_datasets()},
    }
    config = parse_sections(raw(**everything))
    assert len(config.model_zoo) == len(built_in_networks())
    assert len(config.dataset_zoo) == len(built_in_datasets())


def test_an_entry_of_a_built_in_name_changes_single_keys():
    zoo = {"vit_mini": {"batch_size": 7, "weights": {"epochs": 2}}}
    data = {"stickers_probe": {"options": {"count": 10}}}
    config = parse_config(raw(model_zoo=zoo, dataset_zoo=data))
    network = config.model_zoo["vit_mini"]
    assert (network.batch_size, network.weights.epochs) == (7, 2)
    assert network.weights.teacher == "efficientnet_lite0"
    probe = config.dataset_zoo["stickers_probe"]
    assert (probe.options.count, probe.options.style, probe.seed) == (10, "google", 4)


def test_an_entry_of_its_own_takes_the_place_of_a_built_in_one():
    mine = {"factory": "a:b", "layers": ["x"], "dataset": "stickers_probe"}
    config = parse_config(raw(model_zoo={"vit_mini": mine}))
    assert config.model_zoo["vit_mini"].factory == "a:b"
    assert config.model_zoo["vit_mini"].weights.source == "factory"
    config = parse_config(raw(dataset_zoo={"stickers_probe": {"kind": "shapes", "seed": 99}}))
    assert config.dataset_zoo["stickers_probe"].kind == "shapes"


def test_built_in_names_are_among_the_nearest_ones():
    with pytest.raises(UserError, match="did you mean 'people_mini'"):
        parse_config(raw(models=["people_min"]))


def test_what_is_no_mapping_is_left_to_the_schema():
    assert with_built_in(raw(model_zoo=["x"]))["model_zoo"] == ["x"]
    with pytest.raises(UserError, match=r"config: model_zoo: input should be a valid dictionary"):
        parse_config(raw(model_zoo=["x"]))
