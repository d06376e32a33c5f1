"""Configuration of the audit and the editing: twins, queries, splits that must not share images."""

import pytest

from milan_core.cli.config import load, merge
from milan_core.core.errors import UserError
from milan_core.describers.plan import label_dataset
from milan_core.experiments.baselines.plan import evidence
from milan_core.images.kinds.shapes import ShapesOptions
from milan_core.plan.checks import parse_config
from milan_core.plan.needed import needed_models
from milan_core.plan.splits import pairs, primary_split
from milan_core.scoring.queries import shipped_queries

SHAPES = {"kind": "shapes"}


@pytest.fixture
def quick(root):
    return load([root / "config/quick.yaml"])


def with_data(quick, **data):
    return merge(quick, {"dataset_zoo": data})


def test_a_twin_has_the_options_of_its_original_but_for_its_own(quick):
    one = {**SHAPES, "seed": 90, "options": {"count": 20, "p_face": 0.5}}
    two = {**SHAPES, "twin_of": "one", "options": {"blur_faces": True}}
    zoo = parse_config(with_data(quick, one=one, two=two)).dataset_zoo
    assert zoo["two"].options == ShapesOptions(count=20, p_face=0.5, blur_faces=True)
    assert zoo["two"].seed == zoo["one"].seed == 90


@pytest.mark.parametrize(
    ("twin", "words"),
    [
        ({"twin_of": "shape_train"}, "did you mean 'shapes_train'"),
        ({"twin_of": "shapes_train", "seed": 3}, "takes seed and assets"),
        ({"twin_of": "shapes_train", "options": {"count": 3}}, "'count' would change the scenes"),
        ({"twin_of": "shapes_train", "kind": "stickers"}, "needs the kind of its original"),
        ({"twin_of": "other"}, "itself a twin"),
        ({"seed": 11}, "twin_of"),
    ],
)
def test_what_cannot_be_a_twin_is_refused(quick, twin, words):
    other = {**SHAPES, "twin_of": "shapes_test", "options": {"noise": 3}}
    with pytest.raises(UserError, match=words):
        parse_config(with_data(quick, other=other, mine={**SHAPES, **twin}))


def test_shipped_queries_are_valid():
    queries = shipped_queries()
    assert {"faces", "text", "gender", "ethnicity", "colours"} <= set(queries)
    for query in queries.values():
        assert all(word == word.lower() for word in [*query.words, *query.exclude])


def test_audited_and_edited_networks_are_needed(quick):
    pair = {"name": "p", "original": "shapes_resnet", "changed": "shapes_alexnet"}
    config = parse_config(merge(quick, {"audit": {"pairs": [pair], "models": ["shapes_encoder"]}}))
    assert "shapes_encoder" in needed_models(config)
    assert primary_split(config, "shapes_encoder") == "all"


def test_an_audit_without_pairs_takes_the_place_of_those_of_the_default(root):
    default = load([root / "config/config.yaml"])
    pairs_of = parse_config(default).audit.pairs
    faces = {name for pair in pairs_of for name in (pair.original, pair.changed)}
    assert faces <= set(needed_models(parse_config(default)))
    mine = merge(default, {"audit": {"models": ["resnet_mini"], "pairs": []}, "edit": None})
    assert not faces & set(needed_models(parse_config(mine)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"models": ["shapes_resnt"]}, "did you mean 'shapes_resnet'"),
        ({}, "no network to audit"),
        ({"models": ["shapes_resnet"], "queries": ["fases"]}, "did you mean 'faces'"),
        ({"models": ["shapes_resnet"], "own_queries": {"dogs": {"wrds": ["dog"]}}}, "wrds"),
    ],
)
def test_mistakes_of_an_audit(quick, change, words):
    quick.pop("audit", None)
    with pytest.raises(UserError, match=words):
        parse_config(merge(quick, {"audit": change}))


def test_a_pair_must_be_probed_alike(quick):
    pair = {"name": "p", "original": "shapes_resnet", "changed": "shapes_alexnet"}
    change = {
        "model_zoo": {"shapes_alexnet": {"dataset": "shapes_test"}},
        "audit": {"pairs": [pair], "models": []},
    }
    with pytest.raises(UserError, match="probed with different images"):
        parse_config(merge(quick, change))


def trial(**splits):
    names = {
        "ranking": "rank",
        "validation": {"clean": "val", "adversarial": "val"},
        "test": {"clean": "test", "correct": "test", "adversarial": "test"},
    }
    return {"trials": [{"model": "shapes_encoder", **names, **splits}]}


def test_what_is_chosen_is_tested_on_other_images(quick):
    data = {name: {**SHAPES, "seed": 70 + i} for i, name in enumerate(("rank", "val", "test"))}
    quick = with_data(quick, **data)
    quick.pop("edit", None)
    config = parse_config(merge(quick, {"edit": trial()}))
    assert needed_models(config).count("shapes_encoder") == 1
    for name, words in (("test", "serves test"), ("shapes_train", "shares its images")):
        with pytest.raises(UserError, match=words):
            parse_config(merge(quick, {"edit": trial(ranking=name)}))


def test_a_generator_is_labelled_from_what_it_draws(quick):
    quick["corpus"] = ["shapes_resnet", "shapes_generator"]
    quick["generalization"]["across"] = {}
    quick["baselines"]["dataset"] = "shapes_test"
    config = parse_config(quick)
    assert label_dataset(config, "shapes_resnet") == "shapes_test"
    assert label_dataset(config, "shapes_generator") == "shapes_drawn"
    assert evidence(config).labels == "shapes_drawn, shapes_test"


def test_one_network_may_teach_for_all_others(quick):
    quick["generalization"]["across"] = {"reversed": [["shapes_resnet", "not-shapes_resnet"]]}
    config = parse_config(quick)
    (pair,) = pairs(config)
    assert (pair.train, pair.tests) == (("shapes_resnet",), ("shapes_alexnet",))
    assert pair.split == "from_shapes_resnet"
    quick["generalization"]["across"] = {"reversed": [["shapes_resnet", "not-shapes_vit"]]}
    with pytest.raises(UserError, match="shapes_vit"):
        parse_config(quick)
