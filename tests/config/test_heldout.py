"""Images that score descriptions are read by nothing that a describer learns from."""

import pytest

from milan_core.core.errors import UserError
from milan_core.core.yaml_files import load_yaml
from milan_core.exemplars.plan import heldout_choice, heldout_dataset, mining_options
from milan_core.exemplars.splits import heldout_images
from milan_core.plan.checks import parse_config
from milan_core.plan.trained import training_file
from milan_core.referee.plan import candidates, scored


def run(root, *files, **changes):
    raw = load_yaml(root / "config/config.yaml")
    for file in files:
        for key, value in load_yaml(root / f"config/{file}.yaml").items():
            raw[key] = {**raw[key], **value} if isinstance(raw.get(key), dict) else value
    for key, value in changes.items():
        raw[key] = {**raw.get(key, {}), **value}
    return parse_config(raw)


@pytest.mark.parametrize("files", [(), ("quick",), ("full",)])
def test_built_in_runs_score_on_a_second_data_set(root, files):
    config = run(root, *files)
    for model in config.models:
        assert heldout_dataset(config, model) in config.dataset_zoo
        assert mining_options(config, model).heldout == "none"  # the probe set stays whole


def test_paper_holds_nothing_out(root):
    config = run(root, "paper")
    chosen = {heldout_choice(config, name) for name in config.models if name in config.model_zoo}
    assert chosen == {"none"}
    assert not any(heldout_dataset(config, name) for name in candidates(config))


def test_a_network_without_a_second_data_set_holds_out_a_fifth(root):
    config = run(root, model_zoo={"vit_mini": {"heldout": "split"}})
    assert mining_options(config, "vit_mini").heldout == "split"
    assert mining_options(config, "resnet_mini").heldout == "none"
    assert mining_options(config, "people_mini").heldout == "none"  # learned from, not described


@pytest.mark.parametrize(
    ("heldout", "message"),
    [
        ("stickers_probe", "exemplars of"),
        ("stickers_train", "training of"),
        ("stickers_test", "training of"),
        ("drawing_scenes", "exemplars of 'generator_mini'"),
        ("twin", "'stickers_probe', which is read for the exemplars"),
        ("stickers_helt", "stickers_heldout"),
    ],
)
def test_images_that_are_read_elsewhere_are_refused(root, heldout, message):
    twin = {"twin": {"kind": "stickers", "twin_of": "stickers_probe", "options": {"noise": 3}}}
    with pytest.raises(UserError, match=message):
        run(root, model_zoo={"vit_mini": {"heldout": heldout}}, dataset_zoo=twin)


def test_the_random_network_stands_beside_networks_of_its_own_images(root):
    assert candidates(run(root))[-1] == "resnet_random"
    assert "resnet_random" not in candidates(run(root, "quick"))
    other = {"models": ["people_mini"], "analyze": {"models": []}, "decoding": {"models": []}}
    raw = load_yaml(root / "config/config.yaml") | other
    assert candidates(parse_config(raw)) == ["people_mini"]
    assert len(scored(run(root))) == 7 * 2  # by both judges


def test_labels_are_not_drawn_from_images_that_score_them(root):
    split = {"model_zoo": {"alexnet_mini": {"heldout": "split"}}}
    run(root, **split)
    with pytest.raises(UserError, match="alexnet_mini' would be drawn from images that are held"):
        run(root, **split, baselines={"dataset": None})


def test_halves_of_the_probe_images_are_disjoint(root):
    first, second = (run(root, exemplars={"half": half}) for half in ("first", "second"))
    masks = [
        heldout_images("fingerprint", 4000, mining_options(config, "resnet_mini").heldout)
        for config in (first, second)
    ]
    assert (masks[0] == ~masks[1]).all()
    assert 1900 < masks[0].sum() < 2100
    with pytest.raises(UserError, match="holds a part of its images out to score"):
        run(root, exemplars={"half": "first"}, model_zoo={"vit_mini": {"heldout": "split"}})


def test_what_a_captioner_of_another_run_learned_from_is_read_there(root, tmp_path):
    """Its constants and its overlap are of that run's exemplars, not of this run's half."""
    (tmp_path / "captioners/without_resnet_mini/seed0").mkdir(parents=True)
    (tmp_path / "captioners/without_resnet_mini/seed0/config.json").write_text("{}")
    (tmp_path / "alexnet_mini/annotations").mkdir(parents=True)
    (tmp_path / "alexnet_mini/annotations/truth.csv").write_text("")
    config = parse_config(load_yaml(root / "config/config.yaml") | {"trained": str(tmp_path)})
    kind = "annotations/truth.csv"
    there = training_file(config, "without_resnet_mini", "alexnet_mini", kind)
    assert there == f"{tmp_path}/alexnet_mini/{kind}"
    here = training_file(config, "within_resnet_mini", "resnet_mini", kind)
    assert here == f"results/resnet_mini/{kind}", "that captioner is trained in this run"
