"""The zoo's network computes exactly what is said of its units."""

from itertools import product

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from milan_core.world.zoo.drawing import PAINTS, boxed, draw_all  # noqa: E402
from milan_core.world.zoo.facts import (  # noqa: E402
    ATTRIBUTES,
    COLORS,
    SHAPES,
    SIZES,
    Facts,
    draw_facts,
    twin,
)
from milan_core.zoo.build import zoo_tensors  # noqa: E402
from milan_core.zoo.network import ZooNetwork  # noqa: E402
from milan_core.zoo.units import LAYERS, planted_units  # noqa: E402
from milan_core.zoo.weights import TEMPLATES  # noqa: E402


@pytest.fixture(scope="module")
def network():
    tensors = {name: torch.from_numpy(array) for name, array in zoo_tensors().items()}
    return ZooNetwork(tensors).eval()


def maxima(network, images):
    """Maximum of every channel of every layer on images uint8 [n, H, W, 3]: float [n, units]."""
    seen = {}
    hooks = [
        getattr(network, layer).register_forward_hook(
            lambda _, __, output, layer=layer: seen.update({layer: output.amax((2, 3))})
        )
        for layer in LAYERS
    ]
    with torch.inference_mode():
        network(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255)
    for hook in hooks:
        hook.remove()
    return {layer: values.numpy() for layer, values in seen.items()}


def test_outputs_are_the_values_of_the_expressions(network):
    scenes = draw_facts(80, 11)
    scenes += [twin(scene, ATTRIBUTES[i % len(ATTRIBUTES)]) for i, scene in enumerate(scenes)]
    outputs, facts = maxima(network, draw_all(scenes)), Facts(scenes)
    for unit in planted_units():
        layer, number = unit.key
        np.testing.assert_array_equal(
            outputs[layer][:, number], unit.expression.value(facts), str(unit.expression)
        )
    assert sum(len(values[0]) for values in outputs.values()) == len(planted_units())


def test_no_template_takes_one_glyph_for_another(network):
    cases = list(product(SHAPES, SIZES, (30, 31), (30, 31)))
    images = np.full((len(cases), 64, 64, 3), 140, np.uint8)
    for image, (shape, size, x, y) in zip(images, cases, strict=True):
        inside, _ = boxed(shape, size)
        radius = len(inside) // 2
        image[y - radius : y + radius + 1, x - radius : x + radius + 1][inside] = PAINTS["red"]
    pixels = network.pixels(torch.from_numpy(images).permute(0, 3, 1, 2).float())[:, : len(COLORS)]
    centers = torch.relu(network.centers.templates(pixels)).amax((2, 3)).numpy()
    expected = [
        [color == "red" and (shape, size, 30, 30) == case for color, shape, size in TEMPLATES]
        for case in cases
    ]
    np.testing.assert_array_equal(centers, np.array(expected))


def test_maps_lie_on_the_things(network):
    scenes = draw_facts(6, 2)
    pixels = torch.from_numpy(draw_all(scenes)).permute(0, 3, 1, 2).float()
    maps = network.concepts(network.centers(network.pixels(pixels)[:, : len(COLORS)])).numpy()
    circles = maps[:, 0] > 0
    assert set(np.unique(maps).tolist()) <= {0, *(1 - step / 16 for step in range(5))}
    for scene, there in zip(scenes, circles, strict=True):
        expected = np.zeros((32, 32), bool)
        for thing in scene.things:
            if thing.shape == "circle":
                radius = {"small": 2, "large": 4}[thing.size]
                y, x = thing.y // 2, thing.x // 2
                expected[
                    max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1
                ] = 1
        np.testing.assert_array_equal(there, expected)


def test_less_than_a_hundredth_of_positions_have_the_maximum(network):
    """So that the .99 quantile, the level of masks, leaves something above it."""
    pixels = torch.from_numpy(draw_all(draw_facts(80, 2))).permute(0, 3, 1, 2).float() / 255
    maps = {}
    hooks = [
        getattr(network, layer).register_forward_hook(
            lambda _, __, output, layer=layer: maps.update({layer: output})
        )
        for layer in LAYERS
    ]
    with torch.inference_mode():
        network(pixels)
    for hook in hooks:
        hook.remove()
    for unit in planted_units():
        if unit.kind not in ("constant", "dead", "signed"):
            values = maps[unit.key[0]][:, unit.key[1]]
            assert (values >= values.max()).float().mean() < 0.01, str(unit.expression)


def test_other_input_is_refused(network):
    with pytest.raises(ValueError, match="--size 64"):
        network(torch.zeros(1, 3, 32, 32))
