"""Networks unlike the usual ones: each is mined, or refused with one sentence."""

import numpy as np
import pytest
import torch
from torch import nn

from milan_core.core.errors import UserError
from milan_core.exemplars.mine import mine
from milan_core.networks.hooks import HookPoint
from milan_core.networks.layouts import Layout
from milan_core.networks.options import Tokens
from milan_core.networks.trace import Trace, resolve_layers
from networks.outputs import layer_outputs

IMAGES = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0)) - 0.5


class Holder(nn.Module):
    """One layer `odd` that changes the input as told."""

    def __init__(self, odd, after=lambda x: x):
        super().__init__()
        self.odd, self.after = odd, after

    def forward(self, x):
        return self.after(self.odd(x))


class Call(nn.Module):
    """A function as a layer."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def tokens(extra):
    """16 patches of a 4 x 4 grid with 5 channels, `extra` tokens before them."""

    def make(x):
        patches = nn.functional.avg_pool2d(x, 2).flatten(2).mean(1)  # (b, 16)
        first = torch.full((len(x), extra), 9.0)
        return torch.cat([first, patches], 1)[:, :, None] * torch.arange(1.0, 6)

    return Call(make)


@pytest.mark.parametrize(
    ("layer", "options", "units"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(192, 7)), {}, 7),
        (tokens(0), {}, 5),
        (tokens(1), {}, 5),
        (tokens(3), {"layout": Layout(Tokens(class_tokens=3))}, 5),
        (Call(lambda x: x.permute(0, 2, 3, 1)), {"layout": Layout(channels_last=True)}, 3),
        (Call(lambda x: (x, "text")), {}, 3),
        (Call(lambda x: {"hidden": x, "n": 3}), {}, 3),
        (Call(lambda x: x[:, :1]), {}, 1),
        (nn.Conv2d(3, 6, 3), {"layout": Layout(units=4)}, 4),
    ],
    ids=["dense", "tokens", "class", "registers", "last", "tuple", "dict", "one", "first"],
)
def test_layers_of_every_form_are_mined(layer, options, units):
    torch.manual_seed(0)
    found = mine(Holder(layer), IMAGES, "odd", k=2, batch_size=4, **options)
    assert found.units == {"odd": units}
    assert (found.ids("odd") >= 0).all()


def test_registers_are_kept_out_of_the_maps():
    maps, first = Layout(Tokens(class_tokens=3)).maps(tokens(3)(IMAGES), "odd")
    assert maps.shape == (6, 5, 4, 4)
    assert float(maps.max()) < 9
    assert first.tolist() == [[9.0 * c for c in range(1, 6)]] * 6


def test_in_place_activations_do_not_reach_the_recorded_values():
    conv = nn.Conv2d(3, 4, 3)
    model = Holder(conv, nn.ReLU(inplace=True))
    found = layer_outputs(model, ["odd", "odd@relu", "after@input", "after"], IMAGES)
    assert float(found["odd"].min()) < 0
    assert torch.equal(found["odd@relu"], torch.relu(found["odd"]))
    assert torch.equal(found["after@input"], found["odd"]), "the pre-activation"
    assert torch.equal(found["after"], found["odd@relu"])


class Twice(nn.Module):
    """One ReLU for two places."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.relu = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3), nn.ReLU()

    def forward(self, x):
        return self.relu(self.two(self.relu(self.one(x))))


def test_shared_modules_are_named_by_their_run():
    model = Twice()
    with pytest.raises(UserError, match=r"name one run.*relu@call1"):
        mine(model, IMAGES, "relu", k=2)
    found = mine(model, IMAGES, ["relu@call1", "relu@call2"], k=2, batch_size=2)
    assert found.units == {"relu@call1": 4, "relu@call2": 5}
    with pytest.raises(UserError, match=r"'relu@call3' did not run"):
        mine(model, IMAGES, "relu@call3", k=2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(dtype):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1))
    whole = mine(model, IMAGES, "2", k=2)
    found = mine(model.to(dtype), IMAGES, "2", k=2)
    tolerance = 0.02 if dtype != torch.float64 else 1e-6
    assert np.allclose(found.activations("2"), whole.activations("2"), atol=tolerance)


def fail(x):
    raise ZeroDivisionError("no luck\nwith details")


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        (
            Call(fail),
            r"Holder cannot run on input of shape \(2, 3, 8, 8\): no luck; its forward raised",
        ),
        (Call(lambda x: "text"), "gives str, which holds no tensor"),
        (Call(lambda x: x.mean()), r"shape \(\) for 2 images: no axis counts the images"),
        (
            Call(lambda x: x[:, :, :, :, None]),
            r"shape \(2, 3, 8, 8, 1\) for 2 images: more axes than .*`axes: {\"odd\"",
        ),
        (Call(lambda x: x.flatten(2)[:, :, :-1]), r"gives 63 tokens.*`tokens: {grid"),
        (Call(lambda x: x * float("nan")), "3 of 3 units are NaN"),
    ],
)
def test_what_cannot_be_mined_gets_one_sentence(layer, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        mine(Holder(layer), IMAGES, "odd", k=2, batch_size=6)
    assert "\n" not in str(caught.value)


def test_marks_stay_at_the_names_of_patterns():
    model = Twice()
    assert resolve_layers(model, ["*@input", "relu@input@call2"]) == [
        *("one@input", "two@input", "relu@input"),
        "relu@call2@input",
    ]
    assert HookPoint.parse("a.b@relu").relu
    with pytest.raises(UserError, match="unknown mark @output2; known: @input"):
        resolve_layers(model, "one@output2")


def test_inputs_of_keyword_arguments():
    class Keyword(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Call(lambda x: x + 1)

        def forward(self, x):
            return self.inner(x=x)

    assert torch.equal(layer_outputs(Keyword(), "inner@input", IMAGES)["inner@input"], IMAGES)
    with Trace(Keyword(), "inner@input", lambda *_: None) as trace:
        trace(IMAGES)
        assert trace(IMAGES) is None, "stops before the layer itself"
