"""The configuration: schema in step with the code, and one sentence per mistake."""

import re

import pytest
import yaml

from milan_core.captioner.options import DecodingOptions
from milan_core.captioner.plan import captioner_settings, decoding
from milan_core.cli.config import load, merge, schema_text
from milan_core.core.errors import UserError
from milan_core.describers import plan as describers
from milan_core.plan.checks import RESERVED, check_files, parse_config
from milan_core.plan.splits import splits


@pytest.fixture
def default(root):
    return load([root / "config/config.yaml"])


def test_schema_is_in_step(root):
    assert (root / "workflow/schemas/config.schema.yaml").read_text() == schema_text()


def test_every_key_has_a_description(root):
    schema = yaml.safe_load((root / "workflow/schemas/config.schema.yaml").read_text())
    sections = [schema, *schema["$defs"].values()]
    for section in sections:
        for name, key in section.get("properties", {}).items():
            assert key.get("description"), (section["title"], name)


@pytest.mark.parametrize(
    "overlay", ["quick", "full", "examples/spurious_colour", "examples/dictionary_control"]
)
def test_shipped_configurations_are_valid(root, overlay):
    parse_config(load([root / "config/config.yaml", root / f"config/{overlay}.yaml"]))


def test_the_control_of_a_dictionary_differs_in_its_weights_and_directions_alone(root):
    files = ["config/config.yaml", "config/examples/dictionary_control.yaml"]
    config = parse_config(load([root / file for file in files]))
    trained, control = (
        config.model_zoo[name].model_dump() for name in ("resnet_mini_sae", "resnet_random_sae")
    )
    assert config.referee.random == "resnet_random_sae"
    differing = {key for key in trained if trained[key] != control[key]}
    assert differing == {"weights", "directions"}
    assert control["weights"]["source"] == "random"
    told = [one["directions"]["sae"] for one in (trained, control)]
    assert {key for key in told[0] if told[0][key] != told[1][key]} == {"path"}


def test_quick_stands_alone(root):
    parse_config(load([root / "config/quick.yaml"]))


def test_merge_adds_dictionaries_and_replaces_lists():
    merged = merge({"a": {"x": 1}, "b": [1, 2]}, {"a": {"y": 2}, "b": [3]})
    assert merged == {"a": {"x": 1, "y": 2}, "b": [3]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"models": ["resnet_mni"]}, "did you mean 'resnet_mini'"),
        ({"exemplars": {"kk": 3}}, "unknown key"),
        ({"describe": {"lambda": 0.5}}, r"describe\.lambda: unknown key; did you mean temperature"),
        ({"captioner": {"hiden": 3}}, "did you mean hidden"),
        ({"exemplars": {"k": 0}}, "exemplars.k"),
        ({"encoder": {"model": "nope"}}, "encoder.model"),
        ({"model_zoo": {"resnet_mini": {"dataset": "stiker"}}}, "unknown data set 'stiker'"),
        (
            {"corpus": ["resnet_mini"], "models": ["resnet_mini"]},
            "networks or sets other than itself",
        ),
    ],
)
def test_mistakes(default, change, words):
    with pytest.raises(UserError, match=words) as caught:
        parse_config(merge(default, change))
    assert "\n" not in str(caught.value)


NO_ROOTS = ("", "/", "//", " ", "-rf", "results ", "~/a", "~", ".", "./a", "a/", "a//b", "a/../b")
SIGNS = ("a{model}b", "a\nb", "a\x1b[2Jb", "a\u202eb")


@pytest.mark.parametrize("path", [*NO_ROOTS, *SIGNS])
def test_roots_that_are_no_folder_of_their_own_are_refused(default, path):
    with pytest.raises(UserError, match=r"config: pathvars.logs: .*a path|the path of a folder"):
        parse_config(default | {"pathvars": {"logs": path}})


def test_a_name_that_is_too_long_for_a_folder_is_refused(default):
    zoo = {"a" * 81: {"extends": "alexnet_imagenet"}}
    with pytest.raises(UserError, match=r"model_zoo.a+.*at most 80 characters"):
        parse_config(default | {"model_zoo": zoo})


def test_no_network_shares_the_folder_of_a_step(default, root):
    """Every folder below <results> that a rule writes and that no wildcard names is reserved."""
    folders = set()
    for path in (root / "workflow/rules").glob("*.smk"):
        folders |= set(re.findall(r'"<results>/([a-z_]+)/', path.read_text()))
    assert folders <= RESERVED
    for name in ("encoder", "report"):
        change = {"model_zoo": {name: {"extends": "resnet_mini"}}}
        with pytest.raises(UserError, match=f"model_zoo.{name}: a folder of this name has"):
            parse_config(merge(default, change))


def test_captioner_overrides_apply_by_prefix(default):
    change = {
        "captioner": {"splits": {"within": {"hidden": 7}, "within_resnet_mini": {"hidden": 8}}}
    }
    config = parse_config(merge(default, change))
    assert captioner_settings(config, "within_resnet_mini").hidden == 8
    assert captioner_settings(config, "within_alexnet_mini").hidden == 7
    assert captioner_settings(config, "all").hidden == 256


def test_splits_never_mix_networks(default):
    config = parse_config(default)
    for name, split in splits(config).items():
        if not split.within:
            assert not set(split.tests) & set(split.train), name


def test_choices_of_decoding_and_models_reach_the_jobs(default):
    assert decoding(parse_config(default)) == DecodingOptions()
    change = {
        "describe": {"strategy": "sample", "mi": False},
        "captioner": {
            "language_model": False,
            "attention": 9,
            "splits": {"within": {"lm_layers": 1, "attention": None, "language_model": True}},
        },
    }
    config = parse_config(merge(default, change))
    asked = decoding(config)
    assert (asked.strategy, asked.mi, asked.seed) == ("sample", False, config.seed)
    settings = captioner_settings(config, "all")
    assert (settings.language_model, settings.attention) == (False, 9)
    settings = captioner_settings(config, "within_resnet_mini")
    assert (settings.language_model, settings.lm_layers, settings.attention) == (True, 1, None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"describe": {"mi": True}}, "re-ranking already weighs"),
        ({"describe": {"mi": True, "strategy": "rerank"}}, "re-ranking already weighs"),
        (
            {"describe": {"strategy": "rerank"}, "captioner": {"language_model": False}},
            "describe.strategy: it needs p",
        ),
        (
            {
                "describe": {"strategy": "beam", "mi": True},
                "captioner": {"language_model": False},
            },
            "describe.mi: it needs p",
        ),
    ],
)
def test_decoding_that_cannot_be(default, change, words):
    with pytest.raises(UserError, match=words):
        parse_config(merge(default, change))


def test_variants_of_published_captioners(default, tmp_path):
    release = tmp_path / "milan-base.pth"
    variant = {"captioner": {"family": "released", "source": str(release)}}
    config = parse_config(merge(default, {"variants": {"base": variant}}))
    with pytest.raises(UserError, match=r"variants\.base\.captioner: no file .*milan_base"):
        check_files(config)
    release.touch()
    check_files(config)
    assert describers.released_files(config, "base") == [str(release)]
    assert not describers.variant_options(config, "base").reads_captioner
    images = {"captioner": {"family": "image_to_text", "source": "x"}, "prior": {"family": "none"}}
    config = parse_config(
        merge(default, {"variants": {"odd": {**images, "candidates": "beam_mi"}}})
    )
    with pytest.raises(UserError, match="candidates: beam_mi needs"):
        check_files(config)


def test_the_beams_of_the_pool_are_those_of_the_main_search(default):
    change = {"describe": {"pool": {"decoding": {"beam_size": 9}}}}
    with pytest.raises(UserError, match=r"pool\.decoding: got beam_size; .* in `describe` itself"):
        check_files(parse_config(merge(default, change)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"captioner": {"family": "released"}},
            r"variants\.odd\.captioner\.source: field required",
        ),
        ({"captioner": {"family": "milan", "source": "x"}}, r"captioner\.source: unknown key"),
        ({"captioner": {"family": "blip"}}, r"captioner\.family: unknown family 'blip'"),
        ({"prior": {"family": "causal_lm", "source": "x", "ends": True}}, "did you mean end"),
    ],
)
def test_parts_of_variants_are_closed(default, change, words):
    with pytest.raises(UserError, match=words):
        parse_config(merge(default, {"variants": {"odd": change}}))


def test_the_prior_of_an_asset_is_a_path(default):
    prior = {"family": "causal_lm", "asset": "smollm2", "source": "llm/small.gguf"}
    config = parse_config(merge(default, {"variants": {"blip": {"prior": prior}}}))
    options = describers.variant_options(config, "blip")
    assert options.prior.source == "resources/assets/smollm2/llm/small.gguf"
    assert options.prior.asset is None
    assert describers.variant_asset(config, "blip") == "smollm2"


def test_examples_of_the_audit_stand_as_they_are_written(root):
    """Over the embedded default: yours alone is audited, and no twins are trained for it."""
    text = (root / "config/README.md").read_text(encoding="utf-8")
    section = text.partition("### `audit`")[2].partition("### `")[0]
    examples = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", section, re.S)]
    assert len(examples) == 2
    own = {"factory": "torchvision:resnet18", "layers": ["conv1"], "dataset": "stickers_probe"}
    zoo = {"model_zoo": {"my_net": own, "my_net_blurred": own}}
    base = load([root / "config/config.yaml"])
    alone, pair = (parse_config(merge(merge(base, zoo), example)).audit for example in examples)
    assert (alone.models, alone.pairs) == (["my_net"], [])
    assert [(one.original, one.changed) for one in pair.pairs] == [("my_net", "my_net_blurred")]
