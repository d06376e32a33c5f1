"""Hooks: what they record, when the pass stops, and that none stays behind."""

import pytest
import torch
from torch import nn

from milan_core.core.errors import UserError
from milan_core.networks.trace import Trace, resolve_layers
from networks.outputs import layer_outputs


def small_net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Sequential(nn.Conv2d(4, 5, 3, padding=1), nn.ReLU()),
        nn.Conv2d(5, 6, 3),
    )


def hooks_left(model):
    return sum(len(module._forward_hooks) for module in model.modules())


BATCH = torch.linspace(-1, 1, 2 * 3 * 8 * 8).reshape(2, 3, 8, 8)


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ("2.0", ["2.0"]),
        ("*", ["0", "1", "2", "3"]),
        (["3", "0"], ["3", "0"]),
        (["2.*", "2.0"], ["2.0", "2.1"]),
        ("**.0", ["0", "2.0"]),
    ],
)
def test_resolve_layers(patterns, expected):
    assert resolve_layers(small_net(), patterns) == expected


def test_unknown_layer_names_the_nearest():
    torchlike = nn.ModuleDict({"layer1": nn.ReLU(), "layer4": nn.ReLU()})
    with pytest.raises(UserError, match=r"unknown layer 'layr4'.*did you mean 'layer4'"):
        resolve_layers(torchlike, "layr4")
    with pytest.raises(UserError, match="no layers"):
        resolve_layers(torchlike, [])


def test_outputs_come_in_order_and_are_the_layers_own():
    model, order = small_net(), []
    raw = model[0](BATCH)
    with torch.no_grad(), Trace(model, ["3", "0"], lambda n, t: order.append((n, t.clone()))) as t:
        t(BATCH)
    assert [name for name, _ in order] == ["0", "3"]
    assert torch.equal(order[0][1], raw), "the in-place ReLU after layer 0 must not show"
    assert (raw < 0).any()


def test_post_relu_is_explicit():
    model = small_net()
    got = layer_outputs(model, ["0", "3"], BATCH, post_relu="0")
    assert torch.equal(got["0"], torch.relu(model[0](BATCH)))
    assert (got["3"] < 0).any()


def test_stops_after_the_deepest_layer_but_not_in_the_first_pass():
    model, calls = small_net(), []
    model[3].register_forward_pre_hook(lambda *_: calls.append(1))
    with torch.no_grad(), Trace(model, "2", lambda *_: None) as trace:
        assert trace(BATCH) is not None
        assert trace(BATCH) is None
        assert trace(BATCH) is None
    assert len(calls) == 1
    with torch.no_grad(), Trace(model, "2", lambda *_: None, stop=False) as trace:
        trace(BATCH)
        assert trace(BATCH) is not None


def test_modes_come_back_and_hooks_are_gone():
    model = small_net().train()
    model[2].eval()
    before = {module: module.training for module in model.modules()}
    with Trace(model, "**.0", lambda *_: None) as trace:
        assert not any(module.training for module in model.modules())
        trace(BATCH)
    assert {module: module.training for module in model.modules()} == before
    assert hooks_left(model) == 0


class Boom(Exception):
    pass


def test_nothing_is_left_after_errors():
    model = small_net().train()

    def fail(name, tensor):
        raise Boom(name)

    with pytest.raises(Boom, match=r"^2$"), Trace(model, "2", fail) as trace:
        trace(BATCH)
    with pytest.raises(UserError, match="unknown layer"):
        Trace(model, "nothing like it", fail)
    with pytest.raises(UserError, match=r"shape \(2, 7, 8, 8\): .*channels"):  # noqa: SIM117
        with Trace(model, "2", fail) as trace:
            trace(torch.zeros(2, 7, 8, 8))
    with pytest.raises(KeyboardInterrupt), Trace(model, "2", fail):
        raise KeyboardInterrupt
    assert hooks_left(model) == 0
    assert model.training
    with pytest.raises(RuntimeError, match="inside"):
        trace(BATCH)


class Odd(nn.Module):
    """Outputs of every form, a layer that runs twice, and one that never runs."""

    def __init__(self):
        super().__init__()
        self.pair, self.named, self.text = (Give(kind) for kind in ("pair", "named", "text"))
        self.twice, self.idle = nn.ReLU(), nn.ReLU()

    def forward(self, x):
        self.pair(x), self.named(x), self.text(x)
        return self.twice(self.twice(x))


class Give(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def forward(self, x):
        return {"pair": ("a", x + 1, x), "named": {"n": 3, "x": x + 2}, "text": "word"}[self.kind]


def test_tuples_and_mappings_give_their_first_tensor():
    got = layer_outputs(Odd(), ["pair", "named"], BATCH)
    assert torch.equal(got["pair"], BATCH + 1)
    assert torch.equal(got["named"], BATCH + 2)


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [("text", "holds no tensor"), ("twice", "more than once"), ("idle", "did not run")],
)
def test_outputs_that_cannot_be_used_get_a_sentence(layer, sentence):
    model = Odd()
    with pytest.raises(UserError, match=sentence):
        layer_outputs(model, layer, BATCH)
    assert hooks_left(model) == 0


def test_a_second_run_after_the_last_wanted_layer_is_found():
    with pytest.raises(UserError, match="more than once"):
        layer_outputs(Odd(), ["pair", "twice"], BATCH)


@pytest.mark.parametrize("layers", [["0", "2.0"], ["3", "0"]])
def test_compiled_passes_record_the_same(layers):
    model, wanted, got = small_net(), [], []
    with torch.inference_mode():
        with Trace(model, layers, lambda *item: wanted.append(item), post_relu="0") as trace:
            trace(BATCH)
            trace(BATCH + 1)
        traced = Trace(
            model, layers, lambda *item: got.append(item), post_relu="0", compiled="aot_eager"
        )
        with traced as trace:
            trace(BATCH)
            assert trace(BATCH + 1) is None
    assert hooks_left(model) == 0
    assert sorted(name for name, _ in got) == sorted(name for name, _ in wanted)
    for name in layers:
        mine, theirs = ([t for n, t in items if n == name] for items in (got, wanted))
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(mine, theirs, strict=True))


def test_a_failing_compiler_is_one_sentence():
    model = small_net()
    with Trace(model, "0", lambda *_: None, compiled="no_such_backend") as trace:
        trace(BATCH)
        with pytest.raises(UserError, match=r"torch\.compile failed"):
            trace(BATCH)
    assert hooks_left(model) == 0
