"""One driver for every describer, those of other packages included."""

import numpy as np
import pytest
from paths import ROOT

from milan_core.captioner.features.store import FeatureTable
from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.core.tensors import load_tensors
from milan_core.describers.constant import Constant
from milan_core.describers.describer import (
    Candidates,
    Describer,
    Description,
    Descriptions,
    Resources,
)
from milan_core.describers.driver import describe, write_beams, write_candidates, write_descriptions
from milan_core.describers.options import ConstantOptions, NetDissectOptions, TableOptions
from milan_core.describers.registry import (
    declared,
    describer_options,
    find_describer,
    load_describer,
)
from milan_core.describers.sources import FeatureUnits

# A describer of somebody else: it weighs two texts, abstains, and is not always answered.
TOY = """
from typing import Literal

from milan_core.describers.describer import (
    Candidates, Describer, Description, Descriptions, TableForm,
)
from milan_core.describers.declared_options import DescriberOptions


class ToyOptions(DescriberOptions, label="Toy", color="#000000", needs=("features",)):
    describer: Literal["toy"] = "toy"
    word: str = "dark"


class Toy(Describer):
    Options = ToyOptions
    form = TableForm(("score", "shade"), digits=3)

    def __init__(self, word):
        self.word = word

    @classmethod
    def load(cls, options, resources):
        return cls(options.word)

    def describe(self, units):
        means = units.features().mean((1, 2))
        rows = [
            Description(self.word, float(mean), {"shade": "deep"}) if mean > 0
            else Description("", failed=mean < -1)
            for mean in means
        ]
        import numpy as np
        texts = [[self.word, "bright"] if row.text else [] for row in rows]
        weights = np.stack([means, 1 - means], 1)
        return Descriptions(units.keys, rows, Candidates(texts, {"score": weights}))
"""
ROWS = "".join(
    line
    for line in (ROOT / "docs/describers.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| `")
)
KEYS = [("a", 0), ("a", 1), ("b", 0)]


@pytest.fixture
def units(tmp_path):
    features = np.float16([0.25, -0.5, -2.0])[:, None, None] * np.ones((3, 2, 4), np.float16)
    table = FeatureTable(
        {"exact": features}, [("a", 2), ("b", 1)], {"encoder": "e", "dataset": "d"}
    )
    return FeatureUnits(table, tmp_path / "features.safetensors")


def test_a_describer_of_another_package(units, tmp_path):
    (tmp_path / "toy_describer.py").write_text(TOY)
    name = f"{tmp_path}/toy_describer.py:Toy"
    options = describer_options(name, {"word": "shady"})
    assert (options.label, options.needs) == ("Toy", {"features"})
    toy = find_describer(name).load(options, Resources())
    said = describe(toy, units)
    assert said.texts == dict(zip(KEYS, ["shady", "", ""], strict=True))
    assert [row.status for row in said.rows] == ["described", "abstained", "failed"]
    write_descriptions(tmp_path / "d.csv", said, toy.form)
    rows = read_csv(tmp_path / "d.csv", ("layer", "unit", "description", "score", "shade"))
    assert (rows[0]["score"], rows[0]["shade"], rows[1]["score"]) == ("0.25", "deep", "")
    write_candidates(tmp_path / "c.csv", said)
    candidates = read_csv(tmp_path / "c.csv")
    assert [row["description"] for row in candidates] == ["shady", "bright"]
    assert [row["score"] for row in candidates] == ["0.25", "0.75"]
    with pytest.raises(UserError, match=r"wrod: unknown key; did you mean word\?"):
        describer_options(name, {"wrod": "shady"})
    with pytest.raises(UserError, match=r"unknown callable 'Tot' in .*did you mean 'Toy'"):
        find_describer(f"{tmp_path}/toy_describer.py:Tot")
    with pytest.raises(UserError, match=r"module 'nowhere.*cannot be imported"):
        find_describer("nowhere.at_all:Toy")


def test_every_declared_describer_has_its_class():
    for name, options in declared().items():
        describer = find_describer(name)
        assert issubclass(describer, Describer)
        assert describer.Options is options
        assert options.label
        assert options.color.startswith("#")
        assert f"`{name}`" in ROWS, "docs/describers.md has a row for it"
    assert len({options.color for options in declared().values()}) == len(declared())
    with pytest.raises(
        UserError, match=r"unknown describer 'netdisect'.*did you mean 'netdissect'"
    ):
        find_describer("netdisect")


def test_units_that_do_not_offer_enough_are_refused(units):
    with pytest.raises(UserError, match="'netdissect' needs activations over a data set and masks"):
        describe(load_describer(NetDissectOptions(), Resources()), units)
    with pytest.raises(UserError, match="units of a file of features have no images and masks"):
        units.exemplars()
    with pytest.raises(UserError, match=r"no features under masks 'whole', got \['exact'\]"):
        FeatureUnits(units.table, units.path, "whole")


def test_constants_and_tables(units, tmp_path):
    said = describe(Constant("a thing", {"logp_lm": -2.0}), units)
    assert set(said.texts.values()) == {"a thing"}
    assert [row.text for row in describe(find_describer("constant")("x"), units).rows] == ["x"] * 3
    path = tmp_path / "mine.csv"
    path.write_text("layer,unit,words\na,1,a dog\nb,0,\nb,7,elsewhere\n")
    table = load_describer(TableOptions(path=str(path), column="words"), Resources())
    said = describe(table, units)
    assert [row.status for row in said.rows] == ["abstained", "described", "abstained"]
    assert load_describer(ConstantOptions(text="y"), Resources())
    path.write_text("layer,unit,words\nmodule.a,1,a dog\n")
    table = load_describer(TableOptions(path=str(path), column="words"), Resources())
    with pytest.raises(UserError, match=r"no text of any of the 3 units .*'module.a'.*'a'"):
        describe(table, units)


def test_descriptions_have_one_row_a_unit():
    rows = [Description("x"), Description("y")]
    with pytest.raises(ValueError, match="expected one row for each of 3 units"):
        Descriptions(KEYS, rows)
    scores = {"logp": np.zeros((2, 1), np.float32)}
    with pytest.raises(ValueError, match="one row for each of 2"):
        Descriptions(KEYS[:2], rows, Candidates([["x"]], scores))


def test_beams_without_a_prior_have_zeros(tmp_path):
    scores = {"logp": np.float32([[-1, -2]]), "score": np.float64([[-1, -2]])}
    said = Descriptions(KEYS[:1], [Description("x", -1.0)], Candidates([["x", "y"]], scores))
    write_beams(tmp_path / "b.safetensors", said)
    arrays, meta = load_tensors(tmp_path / "b.safetensors", "milan-beams", dict)
    assert not arrays["logp_lm"].any()
    assert meta == {"captions": [["x", "y"]], "layers": ["a"], "units": [0]}
    with pytest.raises(ValueError, match="gives no candidates"):
        write_candidates(tmp_path / "c.csv", Descriptions(KEYS[:1], said.rows))
