"""State dictionaries under any name and prefix: read by what fits the network."""

import logging

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from milan_core.core.errors import UserError
from milan_core.networks.finite import PIECE, check_numbers
from milan_core.networks.weight_options import StoredWeights
from milan_core.networks.weights import load_weights, read_file, read_state_dict
from milan_core.networks.zoo import load_network


def net():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))


OWN = {key: torch.randn(t.shape) if t.shape else t for key, t in net().state_dict().items()}
OTHER = {key: t + 1 for key, t in OWN.items()}


def below(prefix, state=OWN):
    return {f"{prefix}{key}": tensor for key, tensor in state.items()}


def compiled_inside():
    return {key.replace("0.", "0._orig_mod.", 1): t for key, t in OWN.items()}


HELD = {
    "bare": OWN,
    "any name": {"net": OWN, "acc": 0.9, "epoch": 3},
    "two deep": {"checkpoint": {"ema": OWN, "step": 7}},
    "beside an optimizer": {"weights": OWN, "optimizer": {"state": {0: below("exp")}}},
    "student that does not fit": {"teacher": OWN, "student": {"0.weight": torch.zeros(1)}},
    "DataParallel": below("module."),
    "prefixes of two": {"teacher": below("module.backbone."), "student": {}},
    "compiled": below("_orig_mod."),
    "compiled DataParallel": below("_orig_mod.module."),
    "a compiled part": compiled_inside(),
    "sharded": below("_fsdp_wrapped_module._checkpoint_wrapped_module."),
    "Lightning": {"state_dict": below("model."), "epoch": 1},
    "with a criterion": {"state_dict": {**below("model."), "criterion.weight": torch.ones(3)}},
    "profiled": {**OWN, "total_ops": torch.zeros(1), "0.total_params": torch.zeros(1)},
    "the same twice": {"a": OWN, "b": dict(OWN)},
    "by preference": {"model": OWN, "model_ema": OTHER},
    "counts between tensors": {**OWN, "epoch": 3, "note": "x"},
}


@pytest.mark.parametrize("form", HELD)
def test_the_state_that_fits_is_read(form, tmp_path):
    torch.save(HELD[form], tmp_path / "w.pt")
    target = net()
    load_weights(target, tmp_path / "w.pt")
    assert all(target.state_dict()[key].equal(tensor) for key, tensor in OWN.items())


def test_what_is_left_out_is_said(tmp_path, caplog):
    torch.save(HELD["with a criterion"], tmp_path / "w.pt")
    with caplog.at_level(logging.WARNING):
        load_weights(net(), tmp_path / "w.pt")
    assert "left out 1 tensors that are not in the network (criterion.weight)" in caplog.text
    caplog.clear()
    torch.save(HELD["profiled"], tmp_path / "w.pt")
    load_weights(net(), tmp_path / "w.pt")
    assert not caplog.text


@pytest.mark.parametrize(
    ("held", "sentence"),
    [
        ({"a": OWN, "b": OTHER}, r"a, b fit the network all; say which: .*entry: a"),
        ({**below("q."), **below("k.", OTHER)}, r"below 'k\.' and below 'q\.' fit .*\^k\."),
        ({"net": {"0.weight": torch.zeros(1)}, "acc": 0.5}, r"holds net \(1 items: .*acc \(float"),
        ({"epoch": 3, "args": {"lr": 0.1}}, r"hold no state dictionary: epoch \(int\), args \("),
        ([OWN], "hold no state dictionary: list"),
    ],
)
def test_what_cannot_be_known_is_asked(held, sentence, tmp_path):
    torch.save(held, tmp_path / "w.pt")
    with pytest.raises(UserError, match=sentence) as error:
        load_weights(net(), tmp_path / "w.pt")
    assert "\n" not in str(error.value)


def test_the_entry_that_is_named(tmp_path):
    torch.save({"a": OTHER, "b": {"c": OWN}}, tmp_path / "w.pt")
    target = net()
    load_weights(target, tmp_path / "w.pt", StoredWeights(entry="b.c"))
    assert target.state_dict()["0.weight"].equal(OWN["0.weight"])
    with pytest.raises(UserError, match=r"unknown weights\.entry 'b\.d' in .*did you mean 'b\.c'"):
        load_weights(target, tmp_path / "w.pt", StoredWeights(entry="b.d"))


def test_convert_sees_all_that_the_file_holds(tmp_path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "def build(): return nn.Sequential(nn.Conv2d(3, 4, 3))\n"
        "def halves(held): return {k: v / held['scale'] for k, v in held['deep'][0].items()}\n"
    )
    own = nn.Sequential(nn.Conv2d(3, 4, 3)).state_dict()
    torch.save({"deep": [own], "scale": 2}, tmp_path / "w.pt")
    weights = {"source": "file", "path": str(tmp_path / "w.pt")}
    spec = {"factory": f"{tmp_path}/net.py:build", "layers": ["0"]}
    with pytest.raises(UserError, match=r"convert: package\.module:callable"):
        load_network({**spec, "weights": weights})
    loaded = load_network({**spec, "weights": weights | {"convert": f"{tmp_path}/net.py:halves"}})
    assert loaded.module.state_dict()["0.bias"].equal(own["0.bias"] / 2)


def test_one_state_is_read_without_a_network(tmp_path):
    torch.save({"net": below("module."), "epoch": 2}, tmp_path / "w.pt")
    assert list(read_state_dict(tmp_path / "w.pt")) == list(OWN)
    assert set(read_file(tmp_path / "w.pt")) == {"net", "epoch"}
    torch.save({"a": OWN, "b": OTHER}, tmp_path / "w.pt")
    with pytest.raises(UserError, match="are several state dictionaries"):
        read_state_dict(tmp_path / "w.pt")


class Tied(nn.Module):
    """Two layers with one matrix."""

    def __init__(self, tied=True):
        super().__init__()
        self.one, self.two = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
        if tied:
            self.two.weight = self.one.weight


@pytest.mark.parametrize("prefix", ["", "module."])
def test_tensors_that_a_network_shares_are_stored_once(prefix, tmp_path):
    for name in ("one.weight", "two.weight"):
        stored = {prefix + name: torch.randn(4, 4)}
        torch.save({"state_dict": stored, "epoch": 3}, tmp_path / "w.pt")
        network = Tied()
        load_weights(network, tmp_path / "w.pt")
        assert torch.equal(network.one.weight, stored[prefix + name])
        assert network.two.weight is network.one.weight
        with pytest.raises(UserError, match=r"1 missing"):
            load_weights(Tied(tied=False), tmp_path / "w.pt")
    torch.save(Tied(tied=False).state_dict(), tmp_path / "w.pt")
    with pytest.raises(UserError, match=r"1 different .*shares.*one\.weight and two\.weight"):
        load_weights(Tied(), tmp_path / "w.pt")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["int8", "qint8", "complex64"])
def test_codes_are_no_weights(kind, tmp_path):
    codes = torch.randint(-9, 9, (4, 4))
    held = {
        "int8": codes.to(torch.int8),
        "qint8": torch.quantize_per_tensor(codes.float(), 0.1, 0, torch.qint8),
        "complex64": codes.to(torch.complex64),
    }
    torch.save({"weight": held[kind], "bias": torch.zeros(4)}, tmp_path / "w.pt")
    with pytest.raises(UserError, match=rf"weight is {kind} and the network's float32.*convert"):
        load_weights(nn.Linear(4, 4), tmp_path / "w.pt")


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_without_a_value_are_refused(value, tmp_path):
    """The accuracy of a network reads no activation: it would be that of one class."""
    state = {key: tensor.clone() for key, tensor in OWN.items()}
    state["3.bias"][1] = value
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(UserError, match=r"w\.pt: 1 of 2 numbers of 3\.bias are NaN or infinite"):
        load_weights(net(), tmp_path / "w.pt")


def test_what_a_network_sets_itself_is_no_damage(tmp_path, monkeypatch):
    """A mask that is a parameter, and NaN for a threshold that is not known yet."""
    monkeypatch.setattr("milan_core.networks.finite.PIECE", 5)

    class Masked(nn.Linear):
        def __init__(self):
            super().__init__(4, 4)
            mask = torch.full((4, 4), -torch.inf).triu(1)
            self.mask = nn.Parameter(mask, requires_grad=False)
            self.register_buffer("threshold", torch.tensor(torch.nan))

    state = Masked().state_dict()
    torch.save(state, tmp_path / "w.pt")
    load_weights(Masked(), tmp_path / "w.pt")
    for value in (torch.inf, torch.nan):
        torch.save(state | {"mask": torch.full((4, 4), value).triu(1)}, tmp_path / "w.pt")
        with pytest.raises(UserError, match="6 of 16 numbers of mask are NaN or infinite"):
            load_weights(Masked(), tmp_path / "w.pt")


def test_numbers_are_looked_at_in_pieces():
    """All at once took more than twice the bytes of the tensor."""
    held = torch.ones(4 * PIECE, dtype=torch.float16)
    made = []

    class Noted(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            made.append(result)
            return result

    with Noted():
        check_numbers({"weight": held}, nn.Linear(1, 1), "w.pt")
    own = held.untyped_storage().data_ptr()
    stores = [one.untyped_storage() for one in made if isinstance(one, torch.Tensor)]
    assert 0 < max(one.nbytes() for one in stores if one.data_ptr() != own) <= 2 * PIECE


@pytest.mark.filterwarnings("ignore:.*[Ss]parse")
def test_sparse_weights_fill_dense_ones(tmp_path):
    state = nn.Linear(4, 4).state_dict()
    kept = state["weight"] * (state["weight"] > 0)
    module = nn.Linear(4, 4)
    for stored in (kept.to_sparse(), kept.to_sparse_csr()):
        torch.save(state | {"weight": stored}, tmp_path / "w.pt")
        load_weights(module, tmp_path / "w.pt")
        assert torch.equal(module.weight.detach(), kept)
    kept[0, 0] = torch.nan
    torch.save(state | {"weight": kept.to_sparse()}, tmp_path / "w.pt")
    with pytest.raises(UserError, match="1 of 16 numbers of weight are NaN"):
        load_weights(module, tmp_path / "w.pt")


def test_buffers_may_hold_infinity(tmp_path):
    """Masks of attention do; NaN is no mask."""

    class Masked(nn.Linear):
        def __init__(self):
            super().__init__(2, 2)
            self.register_buffer("mask", torch.tensor([0.0, -torch.inf]))

    state = Masked().state_dict()
    torch.save(state, tmp_path / "w.pt")
    load_weights(Masked(), tmp_path / "w.pt")
    torch.save(state | {"mask": torch.full((2,), torch.nan)}, tmp_path / "w.pt")
    with pytest.raises(UserError, match="2 of 2 numbers of mask are NaN"):
        load_weights(Masked(), tmp_path / "w.pt")
