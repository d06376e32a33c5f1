"""What a run uses of another is compared with what it asks for; what it makes itself is not."""

from types import SimpleNamespace

import pytest

from milan_core.captioner.options import TrainedOn
from milan_core.captioner.plan import captioner_settings, training_split
from milan_core.cli.config import load, merge
from milan_core.core.errors import UserError
from milan_core.core.files import read_json
from milan_core.core.options import plain
from milan_core.core.recording import write_record
from milan_core.experiments.controls.plan import controls_options
from milan_core.networks.plan import architecture, trained
from milan_core.networks.step import _generator
from milan_core.networks.version import portable_source
from milan_core.plan.checks import parse_config
from milan_core.plan.trained import _compare, check_trained
from milan_core.referee.plan import judge_folder, mini_encoder, mini_training


def test_a_run_inside_the_other_runs_folder_makes_its_own_files():
    config = SimpleNamespace(trained="results", pathvars=SimpleNamespace(results="results/my_net"))
    _compare(config, "results/my_net/alexnet_mini/target", {"seed": 0}, "seed")
    with pytest.raises(UserError, match="record not found: results/alexnet_mini/target"):
        _compare(config, "results/alexnet_mini/target", {"seed": 0}, "seed")


def judge_config(root, trained, **change):
    raw = merge(load([root / "config/config.yaml"]), {"trained": str(trained), **change})
    return parse_config(merge(raw, {"pathvars": {"results": "results/own"}}))


def test_the_judge_of_the_other_run_is_used_and_compared(root, tmp_path):
    config = judge_config(root, tmp_path)
    assert judge_folder(config) == "results/own/judge", "none there: it is trained here"
    folder = tmp_path / "judge"
    folder.mkdir()
    (folder / "judge.json").write_text("{}")
    inputs = ("assets/efficientnet_lite0", "assets/minilm", "datasets/stickers_train")
    options = {
        "encoder": plain(mini_encoder(config)),
        "options": plain(mini_training(config)),
        "seed": config.seed,
    }
    digests = {f"resources/{name}": {"sha256": "0" * 64} for name in inputs}
    write_record(
        folder / "provenance.json", "referee.train_judge", digests, [folder], options, "", {}
    )
    assert judge_folder(config) == str(folder)
    check_trained(config, [], [])
    changes = {
        "options": {"steps": 7},
        "layers": {"layers": ["_blocks.4"]},
        "data set": {"dataset": "stickers_test"},
        "text encoder": {"text": None},
    }
    for name, change in changes.items():
        judges = [{"kind": "mini", **change}]
        other = judge_config(root, tmp_path, referee={"judges": judges})
        with pytest.raises(UserError, match=f"judge was trained with another {name} than this"):
            check_trained(other, [], [])
    with pytest.raises(UserError, match="judge was trained with another seed"):
        check_trained(judge_config(root, tmp_path, seed=3), [], [])
    check_trained(judge_config(root, tmp_path, referee={"judges": []}), [], [])


def test_networks_of_the_other_half_are_not_said_to_share_images_with_their_captioner(
    root, tmp_path
):
    folder = tmp_path / "captioners/without_resnet_mini/seed0"
    folder.mkdir(parents=True)
    (folder / "config.json").touch()
    whole = controls_options(judge_config(root, tmp_path)).probes
    assert whole["resnet_mini"] == whole["alexnet_mini"]
    half = controls_options(judge_config(root, tmp_path, exemplars={"half": "second"})).probes
    assert "resnet_mini" not in half, "its captioner learned from the other half"
    assert half == {name: data for name, data in whole.items() if name != "resnet_mini"}


@pytest.mark.parametrize(
    ("half", "held_out", "learned"),
    [
        ("first", "none", "all"),
        ("second", "first-half", "the same half"),
        ("second", "second-half", None),
        ("all", "none", None),
    ],
)
def test_captioners_that_saw_the_mined_half_are_refused(root, tmp_path, half, held_out, learned):
    config = judge_config(root, tmp_path, exemplars={"half": half}, referee={"judges": []})
    one = TrainedOn(split="without_resnet_mini", seed=0)
    folder = tmp_path / "captioners/without_resnet_mini/seed0"
    folder.mkdir(parents=True)
    (folder / "config.json").touch()
    options = {
        "split": plain(training_split(config, one.split)),
        "options": plain(captioner_settings(config, one.split)),
        "seed": one.seed,
    }
    write_record(folder / "provenance.json", "captioner.train", {}, [], options, "", {})
    check_trained(config, [], [one])  # no record says what was mined
    for name in training_split(config, one.split).train:
        shards = tmp_path / name / "exemplars/shards"
        shards.mkdir(parents=True)
        mined = {"options": {"heldout": held_out}}
        record = shards / "1-of-1.provenance.json"
        write_record(record, "exemplars.scan", {}, [], mined, "", {})
    if learned is None:
        check_trained(config, [], [one])
    else:
        with pytest.raises(UserError, match=rf"half: captioners of .* learned from {learned} of"):
            check_trained(config, [], [one])


def own(root, tmp_path, images, **more):
    """A configuration whose network `own` learns from the data set `photos`."""
    weights = {"source": "train", "dataset": "photos", "tests": [], "epochs": 1}
    network = {"factory": f"{tmp_path}/net.py:build", "layers": ["a"], "dataset": "photos"}
    zoo = merge({"photos": images}, more.pop("dataset_zoo", {}))
    network |= {"weights": weights, **more}
    sections = {"dataset_zoo": zoo, "model_zoo": {"own": network}, "referee": {"judges": []}}
    return judge_config(root, tmp_path, **sections)


def folder(**options):
    return {"kind": "folder", "options": {"path": "/photos", "count": 90, **options}}


def network_of(tmp_path, config, **facts):
    """The record of a network that another run has trained as this configuration asks."""
    options = {
        "model": plain(architecture(config, "own")),
        "training": plain(trained(config, "own")),
        "seed": 0,
    }
    record = tmp_path / "own/target/provenance.json"
    write_record(record, "networks.train", {}, [], options, "", facts)
    record.with_name("weights.safetensors").touch()
    return record


def facts_of(config):
    """What the step of a training records of the network and its data set."""
    images = config.dataset_zoo["photos"]
    spec = {"kind": images.kind, "options": plain(images.options)}
    source = portable_source(config.model_zoo["own"])
    return {"source": source, "data set": {"seed": images.seed, **spec}}


def test_a_network_of_edited_code_or_other_images_is_refused(root, tmp_path):
    code = tmp_path / "net.py"
    code.write_text("def build():\n    return relu()\n")

    def config(**options):
        return own(root, tmp_path, folder(**options))

    record = network_of(tmp_path, config(), **facts_of(config()))
    check_trained(config(), ["own"], [])
    check_trained(config(path=str(tmp_path)), ["own"], [])  # the pictures have moved
    check_trained(config(on_error="skip"), ["own"], [])  # all of them could be read
    for change in ({"count": 9}, {"range": [0, 200]}):
        with pytest.raises(UserError, match=r"own/target was trained with another data set than"):
            check_trained(config(**change), ["own"], [])
    network_of(tmp_path, config(), **facts_of(config(range=[0, 200])))
    with pytest.raises(UserError, match=r"own/target was trained with another data set than this"):
        check_trained(config(), ["own"], [])
    network_of(tmp_path, config(), **facts_of(config()))
    code.write_text("def build():\n    return absolute()\n")
    with pytest.raises(UserError, match=r"own/target was trained with another source than this"):
        check_trained(config(), ["own"], [])
    options = read_json(record)["options"]
    write_record(record, "networks.train", {}, [], options, "", {})  # by an earlier release
    check_trained(config(), ["own"], [])


def test_arguments_that_the_configuration_no_longer_has_are_noticed(root, tmp_path):
    (tmp_path / "net.py").write_text("def build(width=1):\n    return width\n")
    network_of(tmp_path, own(root, tmp_path, folder(), kwargs={"width": 2}))
    check_trained(own(root, tmp_path, folder(), kwargs={"width": 2}), ["own"], [])
    with pytest.raises(UserError, match=r"own/target was trained with another model than this"):
        check_trained(own(root, tmp_path, folder()), ["own"], [])


def test_the_number_of_expected_images_changes_none(root, tmp_path):
    (tmp_path / "net.py").touch()

    def config(**options):
        images = {"kind": "imagenet", "options": {"path": "/photos", **options}}
        return own(root, tmp_path, images)

    network_of(tmp_path, config(), **facts_of(config(expect=50_000)))
    check_trained(config(), ["own"], [])
    with pytest.raises(UserError, match="another data set"):
        check_trained(config(split="train"), ["own"], [])


def test_scenes_of_the_zoo_are_compared_without_their_world(root, tmp_path):
    (tmp_path / "net.py").touch()

    def config(**options):
        return own(root, tmp_path, {"kind": "zoo", "seed": 77, "options": options})

    facts = facts_of(config())
    facts["data set"]["options"]["world"] = "shapes"
    network_of(tmp_path, config(), **facts)
    check_trained(config(), ["own"], [])
    with pytest.raises(UserError, match="another data set"):
        check_trained(config(things=1), ["own"], [])


def test_a_network_that_learned_from_other_drawn_scenes_is_refused(root, tmp_path):
    (tmp_path / "net.py").touch()
    drawn = {"kind": "generated", "model": "generator_mini", "scenes": "drawing_scenes"}
    config = own(root, tmp_path, drawn)
    seed = config.dataset_zoo["drawing_scenes"].seed
    made = {"kind": "generated", "options": {"scenes": "drawing_scenes", "world": "stickers"}}
    images = {"seed": seed, **made, "model": "generator_mini"}
    source = portable_source(config.model_zoo["own"])
    network_of(tmp_path, config, **{"source": source, "data set": images})
    check_trained(config, ["own"], [])
    for change in ({"scenes": "stickers_train"}, {"model": "own"}):
        with pytest.raises(UserError, match="own/target was trained with another data set"):
            check_trained(own(root, tmp_path, {**drawn, **change}), ["own"], [])
    others = own(root, tmp_path, drawn, dataset_zoo={"drawing_scenes": {"seed": 99}})
    with pytest.raises(UserError, match="own/target was trained with another data set"):
        check_trained(others, ["own"], [])


def test_the_record_of_a_training_names_the_network_that_drew_its_images(tmp_path):
    assert _generator(tmp_path) == {}
    options = {"model": {"name": "generator_mini"}}
    write_record(tmp_path / "provenance.json", "generators.draw", {}, [], options, "", {})
    assert _generator(tmp_path) == {"model": "generator_mini"}
