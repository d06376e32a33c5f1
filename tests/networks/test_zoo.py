"""Specs, factories and weight files, right and wrong."""

import tracemalloc

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from milan_core.core.errors import UserError
from milan_core.networks.factories import resolve_factory
from milan_core.networks.weight_options import DownloadWeights
from milan_core.networks.weights import load_weights, save_weights
from milan_core.networks.zoo import load_network, model_hash, raw_bytes

MINI = {
    "factory": "milan_core.networks.minis.cnn:resnet_mini",
    "kwargs": {"classes": 3, "widths": [4, 6, 8]},
    "layers": ["blocks.*"],
    "input": {"size": 32, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
}


def test_load_network():
    loaded = load_network(MINI)
    assert loaded.layers == [f"blocks.{i}" for i in range(6)]
    assert loaded.input.size == 32
    assert not loaded.module.training
    assert load_network({"factory": "torch.nn:Identity"}).layers == []


def test_published_weights_are_found_without_the_query_of_their_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    url = "https://weights.example/models/mini.safetensors?download=1#part"
    spec = {**MINI, "weights": {"source": "download", "url": url}}
    with pytest.raises(UserError, match=r"not found: resources/weights/mini\.safetensors; get"):
        load_network(spec)
    save_weights(load_network(MINI).module, tmp_path / "resources/weights/mini.safetensors")
    assert load_network(spec).layers
    assert DownloadWeights(source="download", url=url).filename == "mini.safetensors"


def test_factory_from_a_file(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(
        "from torch import nn\ndef make(width=2):\n    return nn.Linear(width, width)\n"
    )
    assert load_network({"factory": f"{path}:make", "kwargs": {"width": 5}}).module.in_features == 5
    path.write_text("import nothing_of_this_name\n")
    with pytest.raises(UserError, match=r"needs the module 'nothing_of_this_name'"):
        resolve_factory(f"{path}:make")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"factory": "milan_core.networks.minis.cnn"}, "is not of the form"),
        ({"factory": "milan_core.networks.minis.cnn:resnet_mni"}, "did you mean 'resnet_mini'"),
        ({"factory": "no_such_package:net"}, "cannot be imported"),
        (
            {"factory": "milan_core.networks.mini:net"},
            "did you mean .*milan_core.networks.minis",
        ),
        ({"factory": "no/such/file.py:net"}, "factory file not found"),
        ({"factory": "milan_core.networks.minis.cnn:RESNET_WIDTHS"}, "not a callable"),
        ({"factory": "builtins:dict", "kwargs": {}}, "expected torch.nn.Module"),
        ({"kwargs": {"klasses": 3}}, "does not accept kwargs"),
        ({"layrs": []}, "network: layrs: unknown key; did you mean layers"),
        ({"factory": ""}, "network: factory: string should have at least 1 character"),
        ({"weights": {"source": "fille"}}, "unknown source 'fille'; did you mean file"),
        ({"weights": {"source": "file"}}, "weights.path: field required"),
        ({"weights": {"source": "file", "path": "nowhere.pth"}}, "place a state dictionary there"),
        ({"weights": {"source": "random", "epochs": 2}}, "of source random; it belongs to source"),
        ({"weights": {"source": "train", "dataset": "a"}}, "is made by a run; give the file"),
        ({"tokens": {"grid": [2]}}, "tokens.grid.1: field required"),
        ({"input": {"size": 0}}, "input.size: input should be greater than or equal to 1, got 0"),
        ({"input": {"mean": [1, 2]}}, "input: mean has 2 numbers, channels is 3; give one number"),
        ({"input": {"std": [1, 0, 1]}}, "input.std.1: input should be greater than 0"),
        ({"input": {"sise": 3}}, "input.sise: unknown key; did you mean size"),
        ({"layers": ["block.0"]}, "did you mean 'blocks.0'"),
    ],
)
def test_wrong_specs_get_a_sentence(change, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        load_network({**MINI, **change})
    assert "\n" not in str(caught.value)


def trained(seed=1):
    torch.manual_seed(seed)
    return load_network(MINI).module


@pytest.mark.parametrize("form", ["ours", "safetensors", "pth", "wrapped", "parallel"])
def test_weight_files_of_every_form(tmp_path, form):
    source, target = trained(1), trained(2)
    path = tmp_path / ("w.pth" if form in ("pth", "wrapped", "parallel") else "w.safetensors")
    state = source.state_dict()
    if form == "ours":
        save_weights(source, path)
    elif form == "safetensors":
        save_file(state, path)
    else:
        state = {f"module.{k}": v for k, v in state.items()} if form == "parallel" else state
        torch.save({"epoch": 3, "state_dict": state} if form == "wrapped" else state, path)
    assert model_hash(source) != model_hash(target)
    load_weights(target, path)
    assert model_hash(source) == model_hash(target)


def test_weights_that_do_not_fit(tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(trained(), path)
    other = load_network({**MINI, "kwargs": {"classes": 4, "widths": [4, 6, 8]}}).module
    with pytest.raises(UserError, match=r"2 of another shape \(fc.weight \(3, 8\) instead of"):
        load_weights(other, path)
    with pytest.raises(UserError, match=r"missing \(weight, bias\); .*unexpected .* and \d+ more"):
        load_weights(nn.Linear(2, 2), path)


def test_damaged_weights(tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(trained(), path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match="damaged"):
        load_weights(trained(), path)
    broken = tmp_path / "w.pth"
    broken.write_bytes(b"not a weight file")
    with pytest.raises(UserError, match="damaged"):
        load_weights(trained(), broken)


class Evil:
    def __reduce__(self):
        return (print, ("executed",))


def test_pickled_code_is_never_executed(tmp_path, capsys):
    path = tmp_path / "w.pth"
    torch.save(Evil(), path)
    with pytest.raises(UserError, match="pickled Python objects"):
        load_weights(trained(), path)
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("value", [[1, 2], {"epoch": 3}, {}])
def test_files_without_a_state_dictionary(tmp_path, value):
    path = tmp_path / "w.pth"
    torch.save(value, path)
    with pytest.raises(UserError, match="expected a state"):
        load_weights(trained(), path)


TENSORS = {
    "strided": torch.arange(24.0).reshape(4, 6)[:, ::2].t(),
    "expanded": torch.ones(1).expand(3, 4),
    "channels last": torch.arange(120.0).reshape(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "of one number": torch.tensor(3, dtype=torch.int64),
    "empty": torch.zeros(0, 3),
    "half": torch.arange(5).to(torch.bfloat16),
    "truth values": torch.tensor([True, False]),
    "conjugate": torch.complex(torch.ones(3), torch.arange(3.0)).conj(),
}


@pytest.mark.parametrize("name", TENSORS)
def test_bytes_of_a_tensor_are_those_of_its_elements_in_order(name):
    tensor = TENSORS[name]
    plain = tensor.clone(memory_format=torch.contiguous_format).reshape(-1)
    assert bytes(raw_bytes(tensor)) == plain.view(torch.uint8).numpy().tobytes()


def test_the_hash_of_a_network_takes_one_copy_of_a_tensor():
    module = torch.nn.Linear(1024, 1024)
    tracemalloc.start()  # of Python and NumPy
    model_hash(module)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20, "the weights have 4 MiB, and torch holds their copy"
