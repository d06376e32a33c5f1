"""The ablation engine against whole forward passes, on chains, residual and branchy networks."""

import logging

import numpy as np
import pytest
import torch
from torch import nn

from milan_core.core.errors import UserError
from milan_core.networks.ablation import AblationEngine, PreparedImages
from milan_core.networks.ablation.images import other_images
from milan_core.networks.inputs import prepare
from milan_core.networks.minis.cnn import resnet_mini
from milan_core.networks.options import InputSpec
from milan_core.networks.trace import first_tensor
from networks.ablation.branching import (
    CLASSES,
    IMAGES,
    NETWORKS,
    InPlaceJoin,
    PairLayer,
    images,
    settled,
)


def reference(model, units, batch, replacement="zero", sources=None):
    """Logits with `units` ablated, by one whole forward pass with hooks; no engine."""
    handles, clean, chosen = [], {}, {}
    for layer, unit in units:
        chosen.setdefault(layer, []).append(unit)

    def keep(layer):
        def hook(_module, _inputs, output):
            clean[layer] = first_tensor(output, layer).clone()

        return hook

    def ablate(layer):
        def hook(_module, _inputs, output):
            new = first_tensor(output, layer).clone()
            axis = 2 if new.ndim == 3 else 1
            view = new.movedim(axis, 0)
            maps = clean[layer].movedim(axis, 0)
            for unit in chosen[layer]:
                view[unit] = {
                    "zero": lambda u: 0.0,
                    "mean": lambda u: maps[u].double().mean().float(),
                    "resample": lambda u: maps[u][torch.as_tensor(sources)],
                }[replacement](unit)
            return output._replace(maps=new) if isinstance(output, PairLayer.pair) else new

        return hook

    for make in (keep, ablate):
        handles = [
            model.get_submodule(layer).register_forward_hook(make(layer)) for layer in chosen
        ]
        with torch.no_grad():
            logits = first_tensor(model(batch), "output")
        for handle in handles:
            handle.remove()
    return logits


@pytest.mark.parametrize("replacement", ["zero", "mean", "resample"])
@pytest.mark.parametrize("name", NETWORKS)
def test_equal_to_whole_forward_passes(name, replacement):
    make, layers = NETWORKS[name]
    batch = images()
    model = settled(make(), batch)
    count = IMAGES if name == "values" else 4  # the mean over the batch depends on the batch
    engine = AblationEngine(
        model,
        layers,
        batch,
        np.arange(IMAGES) % CLASSES,
        batch_size=8 * count,
        replacement=replacement,
        seed=5,
    )
    sources = other_images(IMAGES, 5)
    draw = np.random.default_rng(0)
    sets = [[unit] for unit in engine.units]
    sets += [
        [engine.units[i] for i in draw.permutation(len(engine.units))[:size]]
        for size in (2, 3, 5, len(engine.units) // 2)
    ]
    wanted = np.stack(
        [reference(model, units, batch, replacement, sources).argmax(1).numpy() for units in sets]
    )
    assert len(np.unique(wanted)) > 1
    right = (wanted == np.arange(IMAGES) % CLASSES).mean(1)
    assert np.allclose(engine.single(engine.units), right[: len(engine.units)], atol=1e-12)
    for units, guess in zip(sets[len(engine.units) :], wanted[len(engine.units) :], strict=True):
        assert np.array_equal(engine.predictions(units), guess)
        assert engine.set(units) == (guess == engine.labels).mean()


def known_network():
    """Class 0 where unit 1 is larger than unit 0, else class 1; unit 2 plays no part."""
    model = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.AvgPool2d(2), nn.Flatten())
    model.append(nn.Linear(3, 2, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(3)[:, :, None, None])
        model[3].weight.copy_(torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]))
    return model


def known_images():
    values = torch.tensor([[1.0, 2, 9], [1, 3, 9], [1, -4, 9], [2, 1, 9]])
    return values[:, :, None, None].expand(4, 3, 2, 2).contiguous(), np.array([0, 0, 1, 1])


def test_known_units_matter():
    engine = AblationEngine(known_network(), ["0"], *known_images())
    assert engine.units == [("0", 0), ("0", 1), ("0", 2)]
    assert engine.accuracy() == 1
    # Without unit 0 the third image alone stays right of class 1; without unit 1, class 1 remains.
    assert engine.single(engine.units).tolist() == [0.75, 0.5, 1.0]
    assert engine.predictions([("0", 0)]).tolist() == [0, 0, 1, 0]
    # Both gone: equal logits, the first class.
    assert engine.set([("0", 0), ("0", 1)]) == 0.5
    curve = engine.curve(np.array([[2, 1, 0], [0, 2, 1]]), [0, 1, 2, 3])
    assert curve.tolist() == [[1, 1, 0.5, 0.5], [1, 0.75, 0.75, 0.5]]


def test_equal_sets_of_units_run_once(monkeypatch):
    engine = AblationEngine(known_network(), ["0"], *known_images())
    ran = []
    predict = engine._passes.predict

    def counted(rows, states):
        ran.append(len(states))
        return predict(rows, states)

    monkeypatch.setattr(engine._passes, "predict", counted)
    sets = [[("0", 0), ("0", 1)], [], [("0", 1), ("0", 0)], [("0", 1)], []]
    assert engine.without(sets).tolist() == [0.5, 1, 0.5, 0.5, 1]
    assert engine.predictions_each(sets)[1].tolist() == [0, 0, 1, 1]
    assert set(ran) == {3}


def test_replacements_with_known_answers():
    batch, labels = known_images()
    mean = AblationEngine(known_network(), ["0"], batch, labels, replacement="mean")
    # Mean of unit 0 is 1.25, of unit 1 is 0.5.
    assert mean.predictions([("0", 0)]).tolist() == [0, 0, 1, 1]
    assert mean.predictions([("0", 1)]).tolist() == [1, 1, 1, 1]
    other = AblationEngine(known_network(), ["0"], batch, labels, replacement="resample", seed=3)
    sources = other_images(4, 3)
    expected = (batch[:, 0, 0, 0] > batch[sources, 1, 0, 0]).long()
    assert other.predictions([("0", 1)]).tolist() == expected.tolist()


def test_other_images_are_one_cycle():
    sources, seen, place = other_images(50, 7), set(), 0
    for _ in range(50):
        seen.add(place)
        place = int(sources[place])
    assert seen == set(range(50))
    assert other_images(1, 0).tolist() == [0]


def engine_for(name, **options):
    make, layers = NETWORKS[name]
    model = settled(make(), images())
    return AblationEngine(model, layers, images(), np.arange(IMAGES) % CLASSES, **options)


def test_the_fastest_method_that_is_right_is_used(caplog):
    caplog.set_level(logging.INFO)
    engine = engine_for("residual")
    engine.single(engine.units)
    chosen = engine.methods()
    assert chosen.pop(("blocks.5", False)) == "closed form"
    assert set(chosen.values()) == {"stacked"}
    assert not caplog.records
    joined = engine_for("join in place")
    joined.single(joined.units)
    assert joined.methods() == {
        ("stem", False): "stacked",
        ("main.0", False): "mapped",
        ("main", False): "mapped",
        ("short", False): "copied",
    }
    assert "not stacked" in caplog.text


def test_a_network_that_mixes_its_images_is_run_as_a_whole(caplog):
    engine = engine_for("values")
    engine.single(engine.units)
    assert engine.methods() == {("conv", False): "plain"}
    assert "its logits differ" in caplog.text or "whole forward passes" in caplog.text


def test_several_layers_share_passes_and_batch_size_changes_nothing():
    draw = np.random.default_rng(2)
    curves = []
    for batch_size in (8, 24, 1000):
        engine = engine_for("residual", batch_size=batch_size)
        orders = np.stack([draw.permutation(len(engine.units)) for _ in range(3)])
        draw = np.random.default_rng(2)
        curves.append(engine.curve(orders, [0, 1, 4, 20]))
        assert ("blocks.0", True) in engine.methods()
    assert np.array_equal(curves[1], curves[2])
    assert np.allclose(curves[1][:, 0], engine.accuracy())


def test_nothing_stays_behind():
    engine = engine_for("join in place")
    model = engine._passes.model
    model.main.train()
    modes = [module.training for module in model.modules()]
    state = {key: value.clone() for key, value in model.state_dict().items()}
    engine.single(engine.units[:4])
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert "forward" not in module.__dict__


def test_units_that_are_silent_cost_nothing(monkeypatch):
    batch, labels = known_images()
    batch[:, 2] = 0
    engine = AblationEngine(known_network(), ["0"], batch, labels)
    assert engine.single([("0", 2)]) == [1.0]
    assert engine.methods() == {}, "no method was needed"


def test_images_are_prepared_when_taken():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    spec = InputSpec(size=32)
    model = settled(resnet_mini(CLASSES, (4, 5, 6)), prepare(pixels, spec))
    labels = np.arange(6) % CLASSES
    stored = AblationEngine(model, "blocks.*", PreparedImages(pixels, spec), labels)
    given = AblationEngine(model, "blocks.*", prepare(pixels, spec), labels)
    units = [("blocks.1", 2), ("blocks.4", 3)]
    assert np.array_equal(stored.predictions(units), given.predictions(units))


def test_mistakes_are_named():
    model, (batch, labels) = known_network(), known_images()
    with pytest.raises(UserError, match="one label per image"):
        AblationEngine(model, ["0"], batch, labels[:2])
    with pytest.raises(UserError, match="some have none"):
        AblationEngine(model, ["0"], batch, labels - 1)
    with pytest.raises(UserError, match=r"more than 2 classes"):
        AblationEngine(model, ["0"], batch, labels * 2)
    with pytest.raises(UserError, match="unknown replacement"):
        AblationEngine(model, ["0"], batch, labels, replacement="noise")
    with pytest.raises(UserError, match="batch_size is 0"):
        AblationEngine(model, ["0"], batch, labels, batch_size=0)
    engine = AblationEngine(model, ["0"], batch, labels)
    with pytest.raises(UserError, match="units 0 to 2, got unit 3"):
        engine.single([("0", 3)])
    with pytest.raises(UserError, match="unknown layer '1'"):
        engine.single([("1", 0)])
    with pytest.raises(UserError, match="names a unit twice"):
        engine.curve(np.array([[1, 1]]), [0])
    with pytest.raises(UserError, match="beyond the 2 units"):
        engine.curve(np.array([[0, 1]]), [3])
    with pytest.raises(UserError, match="outside 0 to 2"):
        engine.curve(np.array([[0, 3]]), [1])
    with pytest.raises(UserError, match="runs 2 times"):
        AblationEngine(InPlaceJoin(), ["relu"], images(), np.zeros(IMAGES, dtype=int))
