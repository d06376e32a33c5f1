"""Networks without classes: a transformer that learns features, a generator that draws scenes."""

import numpy as np
import pytest
import torch
from datasets_made import build_dataset

from milan_core.core.errors import UserError
from milan_core.core.files import read_csv
from milan_core.core.options import parse
from milan_core.core.step import Compute
from milan_core.describers.activations import NetworkUnits
from milan_core.describers.concept_sources import concept_masks
from milan_core.describers.driver import describe
from milan_core.describers.evidence import gather
from milan_core.describers.label_options import ConceptsOptions
from milan_core.describers.netdissect import NetDissect
from milan_core.describers.options import NetDissectOptions
from milan_core.exemplars.mine import mine
from milan_core.exemplars.sources import open_source
from milan_core.images.store import open_dataset
from milan_core.networks.generators.codes import GRID, scene_codes, vocabulary
from milan_core.networks.generators.generate import generate_dataset
from milan_core.networks.options import Architecture, InputSpec, Network
from milan_core.networks.step import TrainNetwork
from milan_core.networks.training.learn import learn
from milan_core.networks.training.objectives import explained
from milan_core.networks.version import portable_source
from milan_core.networks.weight_options import Training
from milan_core.networks.weights import save_weights
from milan_core.networks.zoo import load_network
from milan_core.world.concepts import ConceptTable

VIEW = {"size": 64, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
TEACHER = {
    "factory": "milan_core.networks.minis.cnn:resnet_mini",
    "kwargs": {"classes": 3, "widths": [4, 6]},
    "input": VIEW,
    "layers": ["blocks.3"],
}
SMALL = {"width": 16, "depth": 1, "heads": 2, "hidden": 12, "patch": 16}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    spec = {"kind": "shapes", "count": 150, "label": "object"}
    folder = tmp_path_factory.mktemp("world")
    return [build_dataset(f"w{seed}", spec, {}, folder / str(seed), seed) for seed in (1, 2)]


def trained(model, weights, world, seed=0, teacher=None):
    """The network of an entry, trained as `weights` says."""
    options = parse(Training, {"source": "train", "dataset": "w1", **weights}, "weights")
    architecture = parse(Architecture, model, "model")
    network = Network(**teacher) if teacher else None
    return learn(architecture, options, world[0], world[1:], seed=seed, teacher=network)


@pytest.fixture(scope="module")
def generator(world, tmp_path_factory):
    names, colours = vocabulary(world[0])
    kwargs = {"names": len(names), "colours": len(colours), "embedding": 8, "widths": [12, 8]}
    training = {"objective": "draw", "epochs": 25, "batch_size": 25, "learning_rate": 1e-2}
    model = {
        "factory": "milan_core.networks.minis.generator:generator_mini",
        "kwargs": kwargs,
        "input": {"kind": "latents", "size": 64},
    }
    learned = trained(model, training, world)
    path = tmp_path_factory.mktemp("generator") / "weights.safetensors"
    save_weights(learned.module, path, learned.meta)
    weights = {"source": "file", "path": str(path)}
    return {**model, "weights": weights, "layers": ["stages.*"]}, learned.figures


def test_explained_variance():
    target = torch.randn(5, 3, 2, 2)
    assert explained(target, target) == pytest.approx(1)
    mean = target.mean((0, 2, 3), keepdim=True).expand_as(target)
    assert explained(mean, target) == pytest.approx(0, abs=1e-6)
    with pytest.raises(UserError, match="change its kwargs"):
        explained(target, target[:, :2])


def test_codes_say_what_is_at_the_centre_of_each_cell(world):
    names, colours = vocabulary(world[0])
    codes = scene_codes(world[0], names, colours)
    assert codes.shape == (150, 2, GRID, GRID)
    for image, row, column in ((0, 0, 0), (7, 8, 8), (149, 15, 3)):
        thing = world[0].scenes[image][world[0].instances[image, 4 * row + 2, 4 * column + 2]]
        expected = "text" if thing["kind"] == "text" else thing["name"]
        assert names[codes[image, 0, row, column]] == expected
        assert colours[codes[image, 1, row, column]] == thing["colour"]
    with pytest.raises(UserError, match="unknown to the generator"):
        scene_codes(world[0], names[1:], colours)


def test_distilled_transformer_explains_features_of_unseen_images(world):
    model = {
        "factory": "milan_core.networks.minis.vit:vit_mini",
        "kwargs": {"features": 6, "grid": 4, **SMALL},
        "input": VIEW,
    }
    weights = {"objective": "distil", "teacher": "t", "teacher_layer": "blocks.3"}
    weights |= {"teacher_size": 64, "count": 100, "epochs": 30, "batch_size": 20}
    weights |= {"learning_rate": 1e-2}
    ((what, share, images),) = trained(model, weights, world, teacher=TEACHER).figures
    assert (what, images) == ("w2: variance of the features explained", 150)
    assert 0.1 < share < 1
    wrong = {**model, "kwargs": {"features": 5, "grid": 4, **SMALL}}
    with pytest.raises(UserError, match="change its kwargs"):
        trained(wrong, weights, world, teacher=TEACHER)


def test_generator_draws_scenes_that_it_never_saw(generator, world, tmp_path):
    model, ((what, share, _),) = generator
    assert what == "w2: variance of the pixels explained"
    assert share > 0.1  # the mean colour explains nothing
    drawn = generate_dataset("drawn", network(model), world[1], tmp_path / "drawn")
    assert open_dataset(tmp_path / "drawn").fingerprint == drawn.fingerprint
    np.testing.assert_array_equal(drawn.instances, world[1].instances)
    assert drawn.scenes == world[1].scenes
    assert ConceptTable(drawn).concepts == ConceptTable(world[1]).concepts
    spread = world[1].images.astype(float) - world[1].images.mean((0, 1, 2))
    error = drawn.images.astype(float) - world[1].images
    assert 1 - (error**2).sum() / (spread**2).sum() == pytest.approx(share, abs=0.01)


def test_units_of_a_generator_are_mined_over_its_own_codes(generator, world, tmp_path):
    model, _ = generator
    drawn = generate_dataset("drawn", network(model), world[1], tmp_path / "drawn")
    loaded = load_network(model)
    found = mine(loaded.module, drawn, loaded.layers, k=3, input=loaded.input, batch_size=32)
    layer = loaded.layers[-1]
    outputs = {}
    handle = loaded.module.stages[-1].register_forward_hook(
        lambda _m, _i, output: outputs.setdefault("maps", output)
    )
    with torch.inference_mode():
        loaded.module(torch.from_numpy(np.array(drawn.latents)))
    handle.remove()
    best = outputs["maps"].amax((2, 3)).argmax(0).numpy()
    assert (found.ids(layer)[:, 0] == best).mean() > 0.9  # ties aside
    with pytest.raises(UserError, match="got none: choose a data"):
        mine(loaded.module, world[1], loaded.layers, k=3, input=InputSpec(size=64, kind="latents"))


def test_a_generator_is_labelled_over_its_own_codes(generator, world, tmp_path):
    model, _ = generator
    drawn = generate_dataset("drawn", network(model), world[1], tmp_path / "drawn")
    loaded = load_network(model)
    with torch.inference_mode():
        stages = torch.nn.Sequential(*loaded.module.stages[:2])
        maps = stages(_embedded(loaded.module, np.array(drawn.latents)))
    found = gather(loaded, open_source(drawn, loaded.input), [0.99], 16, tmp_path, batch_size=32)
    np.testing.assert_allclose(
        found["stages.1"].maxima, maps.amax((2, 3)).T.numpy(), rtol=1e-4, atol=1e-5
    )
    concepts = concept_masks(drawn, ConceptsOptions(size=16))
    units = NetworkUnits(
        *(loaded, drawn, concepts, [0.99], tmp_path), batch_size=32, compute=Compute()
    )
    said = describe(NetDissect(NetDissectOptions()), units)
    assert len(said.keys) == 2 * (12 + 8)
    assert sum(row.status == "described" for row in said.rows) > len(said.rows) / 2
    with pytest.raises(UserError, match="a generator is probed with latent codes"):
        open_source(world[1], loaded.input)


def network(model):
    """The network of a complete entry."""
    return Network.model_validate(model)


def _embedded(module, codes):
    codes = torch.from_numpy(codes).long()
    return (module.name(codes[:, 0]) + module.colour(codes[:, 1])).permute(0, 3, 1, 2)


def test_what_does_not_fit_is_one_sentence(generator, world, tmp_path):
    entry, _ = generator
    model = {key: entry[key] for key in ("factory", "kwargs", "input")}
    wrong = {**model, "kwargs": {**model["kwargs"], "names": 2}}
    with pytest.raises(UserError, match="do not fit data set 'w1'"):
        trained(wrong, {"objective": "draw"}, world)
    with pytest.raises(UserError, match="has 150 images"):
        trained(wrong, {"objective": "draw", "count": 1000}, world)
    other = tmp_path / "other.pt"
    torch.save({}, other)
    weights = {"source": "file", "path": str(other)}
    with pytest.raises(UserError, match="not a generator trained here"):
        generate_dataset("d", network({**entry, "weights": weights}), world[1], tmp_path / "d")


def test_the_step_writes_weights_history_and_accuracy(world, tmp_path):
    """The checkpoint of the training is gone at the end."""
    step = TrainNetwork(
        model=Architecture(
            factory=TEACHER["factory"], kwargs={"classes": 20, "widths": [4, 6]}, input=VIEW
        ),
        training={"source": "train", "objective": "classify", "dataset": "w1", "epochs": 2},
        train=world[0].folder,
        tests=[world[1].folder],
        weights=tmp_path / "weights.safetensors",
        history=tmp_path / "training.csv",
        accuracy=tmp_path / "accuracy.csv",
    )
    facts = step.run(Compute())
    (row,) = read_csv(step.accuracy, ["dataset", "accuracy", "images"])
    assert (row["dataset"], row["images"]) == ("w2", "150")
    assert facts["accuracy"] == {"w2": float(row["accuracy"])}
    assert facts["source"] == portable_source(step.model)
    made = world[0].manifest
    assert facts["data set"] == {"seed": made["seed"], **made["spec"]}, "no network drew it"
    assert [row["epoch"] for row in read_csv(step.history)] == ["1", "2"]
    assert {path.name for path in tmp_path.iterdir()} == {
        *("weights.safetensors", "training.csv", "accuracy.csv")
    }
