"""No describer gives a text to a unit that shows nothing: every registered one, and each source."""

import ast
import inspect
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from captioner.test_captioner import make as make_captioner
from datasets_made import build_dataset
from paths import ROOT
from torch import nn

from milan_core.atlas.build import AtlasFiles, build_atlas
from milan_core.atlas.chunks import read_chunk
from milan_core.atlas.files import NetworkFiles
from milan_core.captioner.features.store import FeatureTable, load_features
from milan_core.captioner.options import DecodingOptions
from milan_core.core.files import read_csv, write_csv
from milan_core.core.step import Compute
from milan_core.describers import clip_dissect, vlm, words
from milan_core.describers.activations import NetworkUnits
from milan_core.describers.backends.lstm import LstmCaptioner
from milan_core.describers.composed import Composed
from milan_core.describers.concept_sources import concept_masks
from milan_core.describers.constant import Constant
from milan_core.describers.describer import Resources
from milan_core.describers.driver import describe, write_all, write_methods
from milan_core.describers.label_options import ConceptsOptions
from milan_core.describers.labels import FORM
from milan_core.describers.linear import Linear
from milan_core.describers.milan import Milan
from milan_core.describers.milan_tuned import MilanTuned
from milan_core.describers.options import (
    ClipDissectOptions,
    CompexpOptions,
    ComposedOptions,
    InvertOptions,
    LinearOptions,
    NetDissectOptions,
    PoolOptions,
    PublishedOptions,
    TableOptions,
    VlmOptions,
    WordsOptions,
)
from milan_core.describers.pool import Pool
from milan_core.describers.pooled import PooledUnits, Proposed, Views
from milan_core.describers.published import published_labels
from milan_core.describers.registry import declared, load_describer
from milan_core.describers.retrieval import Retrieval
from milan_core.describers.sources import ExemplarUnits, FeatureUnits
from milan_core.describers.units import LayerUnits, Units
from milan_core.endpoint import capabilities
from milan_core.endpoint.answer import Answer
from milan_core.exemplars.mine import mine, mine_dataset
from milan_core.exemplars.options import MiningOptions, MiningRun
from milan_core.exemplars.published_import import import_legacy
from milan_core.exemplars.table import ActivationTable, TableFacts, merge_tables
from milan_core.networks.options import InputSpec
from milan_core.networks.zoo import LoadedModel
from milan_core.referee.photographs.evidence import Evidence
from milan_core.referee.photographs.vocabulary import vocabulary
from milan_core.scoring.tables import scored_descriptions

COUNT, F = 120, 6
VIEW = InputSpec(size=16, mean=(0, 0, 0), std=(1, 1, 1))
KEYS = [("units", unit) for unit in range(5)]
NOTHING = {("units", 0): "dead", ("units", 1): "constant", ("units", 2): "saturated"}


class Five(nn.Module):
    """Units: always 0, always 3, cut off at an edge of a bin, and two usual ones."""

    def __init__(self):
        super().__init__()
        self.units = nn.Hardtanh(0, 8)

    def forward(self, x):
        red, green, blue = x.unbind(1)
        bright = (red + green + blue > 1.2).float() * 64
        ramp = torch.arange(256).reshape(16, 16) / 256  # so that no largest value is frequent
        maps = [red * 0, red * 0 + 3, bright, 1 + 3 * red + ramp, 1 + 3 * blue + ramp]
        return self.units(torch.stack(maps, 1)).mean((2, 3))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Images, activations with concepts, mined exemplars with features, and a scratch folder."""
    folder = tmp_path_factory.mktemp("silent")
    dataset = build_dataset(
        "w", {"kind": "shapes", "count": COUNT, "size": 16}, {}, folder / "w", 3
    )
    loaded = LoadedModel(Five().eval(), VIEW, ["units"], [])
    concepts = concept_masks(dataset, ConceptsOptions(size=16))
    network = NetworkUnits(
        *(loaded, dataset, concepts, [0.99, 0.995], folder), batch_size=50, compute=Compute()
    )
    mined = mine(Five().eval(), dataset.images, ["units"], k=5, input=VIEW)
    table = FeatureTable(
        {"exact": np.random.default_rng(0).normal(size=(5, 5, F)).astype(np.float16)},
        [("units", 5)],
        {
            "encoder": "e",
            "dataset": "d",
            "silent": [[*key, status] for key, status in mined.silent().items()],
        },
    )
    table.save(folder / "features")
    features = FeatureUnits(load_features(folder / "features"), folder / "features")
    exemplars = ExemplarUnits(mined, np.asarray(dataset.images), features)
    options = MiningOptions(k=5, table=("max",))
    tabled = mine_dataset(loaded, dataset, options, MiningRun(batch_size=50))
    tabled = ExemplarUnits(tabled, np.asarray(dataset.images))
    return SimpleNamespace(
        folder=folder, network=network, exemplars=exemplars, mined=mined, tabled=tabled
    )


def words_describer(run, monkeypatch):
    columns = np.random.default_rng(1).random((COUNT, len(vocabulary())), np.float32)
    evidence = Evidence(vocabulary(), columns)
    monkeypatch.setattr(words, "photograph_evidence", lambda *_: evidence)
    monkeypatch.setattr(words, "lite0_weights", lambda _: run.folder)
    return words.Words(WordsOptions())


def clip_describer(run, monkeypatch):
    similarity = np.random.default_rng(1).random((COUNT, 3), np.float32)
    monkeypatch.setattr(clip_dissect.ClipDissect, "_look", lambda *_: similarity)
    (run.folder / "words.txt").write_text("dog\ncat\nsky\n")
    options = ClipDissectOptions(concepts=str(run.folder / "words.txt"))
    return clip_dissect.ClipDissect(None, options)


def table_describer(run, monkeypatch):
    path = run.folder / "theirs.csv"
    write_csv(path, ("layer", "unit", "description"), [[*key, "a dog"] for key in KEYS])
    return load_describer(TableOptions(path=str(path)), Resources())


def published_describer(run, monkeypatch):
    write_csv(run.folder / "tally_units.csv", ("unit", "label"), [[u, "dog"] for _, u in KEYS])
    options = PublishedOptions(method="compexp", path=str(run.folder))
    return load_describer(options, Resources())


def vlm_describer(run, monkeypatch):
    """Of a server that sees colors and says "a dog" of everything."""

    def reply(question):
        if question.text.startswith("What color"):
            color = COLORS[tuple(question.images[0].pixels[0, 0])]
            return Answer(color)
        text = "1" if "Answer 1" in question.text else '{"description": "a dog"}'
        return Answer(text, (("1", -0.1),))

    endpoint = SimpleNamespace(
        ask=lambda questions: [reply(question) for question in questions],
        open=lambda: nullcontext(endpoint),
        model="seeing",
    )
    options = {"url": "http://127.0.0.1:1/v1", "model": "seeing"}
    return vlm.Vlm(VlmOptions(endpoint=options, cassette="none", tile=32), endpoint)


def by_judge(cls, options):
    """A describer whose judge and chooser see something else in every image."""

    def made(run, monkeypatch):
        def presence(texts):
            return np.random.default_rng(2).random((COUNT, len(texts)), np.float32)

        views = SimpleNamespace(world="shapes", judge=presence, chooser=presence)
        monkeypatch.setattr(Views, "load", lambda *_, **__: views)
        return cls(options, Resources(judge=run.folder))

    return made


@pytest.fixture(scope="module")
def pooled(run):
    """The same units with their largest activations, and a text that was proposed of each."""
    maxima = run.network.activations()["units"].maxima
    facts = TableFacts(
        model="five", model_hash="h", dataset="d", images=COUNT, layers=(("units", 5),)
    )
    ids, apart = np.arange(COUNT), np.zeros(COUNT, bool)
    table = merge_tables([ActivationTable(facts, ids, apart, {"max": maxima})])
    texts = {"milan": Proposed.of_texts(["a dog"] * 5), "words": Proposed.of_texts(["sky"] * 5)}
    return PooledUnits(table, run.network.dataset, KEYS, texts, run.mined.silent())


COLORS = {rgb: name for name, rgb in capabilities.COLORS.items()}
READER = SimpleNamespace(check=lambda table, path: None, encoder=None)
#: Of each registered describer one that is ready, and the units that it works with.
MADE = {
    "milan": lambda *_: Milan(make_captioner().eval(), READER, DecodingOptions()),
    "milan_tuned": lambda *_: MilanTuned(make_captioner().eval(), READER, DecodingOptions()),
    "pool": by_judge(Pool, PoolOptions()),
    "linear": by_judge(Linear, LinearOptions()),
    "composed": lambda *_: Composed(
        LstmCaptioner(make_captioner().eval()), None, None, READER, ComposedOptions()
    ),
    "constant": lambda *_: Constant("a dog"),
    "netdissect": lambda *_: load_describer(NetDissectOptions(), Resources()),
    "compexp": lambda *_: load_describer(CompexpOptions(), Resources()),
    "invert": lambda *_: load_describer(InvertOptions(), Resources()),
    "clip_dissect": clip_describer,
    "words": words_describer,
    "vlm": vlm_describer,
    "retrieval": lambda *_: Retrieval(np.eye(2, F), ["a dog", "a cat"]),
    "published": published_describer,
    "table": table_describer,
}


def by_default(name):
    """How a describer is made that needs nothing but its default options."""
    return lambda *_: load_describer(declared()[name](), Resources())


@pytest.mark.parametrize("name", declared())
def test_no_describer_describes_what_shows_nothing(name, run, pooled, monkeypatch, tmp_path):
    describer = MADE.get(name, by_default(name))(run, monkeypatch)
    needs = describer.Options.needs
    ranks = needs & {"activations", "maxima"}
    seen = run.tabled if needs >= {"exemplars", "maxima"} else run.network
    seen = pooled if "judge" in needs else seen
    said = describe(describer, seen if ranks else run.exemplars)
    assert list(said.keys) == KEYS
    assert [row.silent for row in said.rows] == [*NOTHING.values(), "active", "active"]
    assert not said.rows[0].text
    assert not said.rows[1].text
    if not ranks or describer.quantiles:  # those that rank whole images may read a saturated unit
        assert not said.rows[2].text
    assert said.statuses == [*NOTHING.values(), "", ""]
    write_all(tmp_path, said, describer.form)
    rows = read_csv(tmp_path / "descriptions.csv")
    assert [row["status"] for row in rows] == said.statuses
    assert rows[0]["description"] == rows[1]["description"] == ""
    assert not any(row[column] for row in rows[:2] for column in describer.form.columns)
    if (tmp_path / "candidates.csv").is_file():
        assert {row["unit"] for row in read_csv(tmp_path / "candidates.csv")} == {"3", "4"}


def test_they_would_have_given_texts(run, monkeypatch):
    """What the driver takes away: several describers say something of dead and constant units."""
    texts = {
        name: [row.text for row in MADE[name](run, monkeypatch).describe(units).rows]
        for name, units in {"clip_dissect": run.network, "retrieval": run.exemplars}.items()
    }
    assert all(text[0] and text[1] and text[2] for text in texts.values())


def test_activations_and_mining_agree(run):
    assert run.network.silent == run.exemplars.silent == run.mined.silent() == NOTHING
    without = NetworkUnits(
        *(run.network._loaded, run.network.dataset, None, [], run.folder),
        batch_size=7,
        compute=Compute(),
    )
    assert without.silent == NOTHING, "one pass is enough where no describer reads masks"


def test_saturated_units_may_be_ranked(run, monkeypatch, tmp_path):
    said = describe(clip_describer(run, monkeypatch), run.network)
    assert said.rows[2].text
    assert said.rows[2].status == "described"
    write_all(tmp_path, said, FORM)
    row = read_csv(tmp_path / "descriptions.csv")[2]
    assert (row["status"], bool(row["score"])) == ("saturated", True)
    scored, silent = scored_descriptions(tmp_path / "descriptions.csv")
    assert (sorted(scored), list(silent.values())) == (KEYS[2:], ["dead", "constant"])


def test_unknown_is_said_and_known_where_it_can_be(run, monkeypatch, tmp_path):
    published_describer(run, monkeypatch)
    folders = {"compexp": str(run.folder)}
    for silent, expected in ((None, ["unknown"] * 5), (NOTHING, [*NOTHING.values(), "", ""])):
        said = published_labels(folders, ["units"], silent)
        write_methods(tmp_path / "labels.csv", said, FORM)
        rows = read_csv(tmp_path / "labels.csv")
        assert [row["status"] for row in rows] == expected
        assert [bool(row["description"]) for row in rows] == [silent is None] * 3 + [True] * 2
    assert LayerUnits(["units"]).silent is None


def test_exemplars_of_other_programs_tell_by_their_masks(run, tmp_path):
    """The published layout has no counts: without a mask a unit is dead or saturated."""
    run.mined.export_legacy(tmp_path, size=16)
    back = import_legacy(tmp_path)
    told = {**NOTHING, ("units", 1): "saturated"}  # cannot be told from a constant one
    assert back.silent() == told
    back.save(tmp_path / "again")
    from milan_core.exemplars.store import load_exemplars

    assert load_exemplars(tmp_path / "again").silent() == told


def test_pages_say_so_whatever_the_table_says(run, tmp_path):
    """A table of somebody else describes every unit and has no column `status`."""
    run.mined.save(tmp_path / "exemplars")
    table = [[*key, f"text {key[1]}"] for key in KEYS]
    write_csv(tmp_path / "d.csv", ("layer", "unit", "description"), table)
    files = NetworkFiles(
        "five", "w", tmp_path / "exemplars", run.folder / "w", descriptions=tmp_path / "d.csv"
    )
    build_atlas(AtlasFiles([files]), tmp_path / "atlas")
    (net,) = read_chunk(tmp_path / "atlas", "run")["networks"]
    assert (net["statuses"]["dead"], net["statuses"]["constant"]) == (1, 1)
    shown = [unit["shown"] for unit in read_chunk(tmp_path / "atlas", "five/more-0")]
    assert shown[:2] == ["never active: 0 on every image", "the same value on every image"]
    assert shown[2:] == ["text 2", "text 3", "text 4"]


def test_every_kind_of_units_says_what_it_knows():
    assert inspect.isabstract(Units)
    assert "silent" in Units.__abstractmethods__


def test_the_driver_alone_calls_describers():
    """Whoever calls `describe` of a describer directly passes by the status of units."""
    calls = set()
    for path in (ROOT / "milan_core").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                is_super = isinstance(owner, ast.Call) and getattr(owner.func, "id", "") == "super"
                is_driver = isinstance(owner, ast.Name) and owner.id == "driver"
                if node.func.attr == "describe" and not is_super and not is_driver:
                    calls.add(str(path.relative_to(ROOT / "milan_core")))
    # Retrieval of the units that a trial scores, which leaves out those that show nothing.
    assert calls == {"describers/driver.py", "experiments/baselines/methods.py"}
