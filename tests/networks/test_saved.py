"""Networks saved with their code, and networks of hubs."""

import sys
import warnings
from urllib.error import URLError

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from milan_core.core.errors import UserError
from milan_core.networks.adapters.huggingface import hub_model
from milan_core.networks.inspect_entry import describe_layers
from milan_core.networks.minis.cnn import resnet_mini
from milan_core.networks.weights import read_state_dict
from milan_core.networks.zoo import load_network, model_hash
from networks.outputs import layer_outputs

LAYERS = ["stem.0", "blocks.1", "blocks.2.body.1", "fc"]
BATCH = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return resnet_mini(3, [4, 6, 8]).eval()


@pytest.fixture(scope="module", params=["script", "trace", "export"])
def saved(request, model, tmp_path_factory):
    """(kind, factory) of the network in a file."""
    folder = tmp_path_factory.mktemp(request.param)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if request.param == "export":
            batch = torch.export.Dim("batch", min=1, max=512)
            program = torch.export.export(model, (BATCH,), dynamic_shapes=({0: batch},))
            torch.export.save(program, folder / "net.pt2")
            return "export", f"export:{folder}/net.pt2"
        maker = torch.jit.script if request.param == "script" else None
        module = maker(model) if maker else torch.jit.trace(model, BATCH)
        module.save(str(folder / "net.pt"))
    return "torchscript", f"torchscript:{folder}/net.pt"


def test_layers_of_saved_networks(saved, model):
    loaded = load_network({"factory": saved[1], "trust": True, "layers": LAYERS})
    assert loaded.layers == LAYERS
    expected = layer_outputs(model, LAYERS, BATCH)
    for _ in range(2):  # the first pass runs to its end, the second may stop
        got = layer_outputs(loaded.module, LAYERS, BATCH)
        for name in LAYERS:
            assert torch.allclose(got[name], expected[name], atol=1e-5), name
    assert torch.allclose(loaded.module(BATCH), model(BATCH), atol=1e-5)
    assert model_hash(loaded.module) == model_hash(
        load_network({"factory": saved[1], "trust": True}).module
    )


def test_looking_inside_a_saved_network(saved):
    """The printed entry loads as it stands; its layers are those of the network that was saved."""
    with pytest.raises(UserError, match="holds a program"):
        describe_layers(saved[1], {}, 32)
    table, entry = describe_layers(saved[1], {}, 32, trust=True).split("\n\n")
    assert "Conv2d" in table, "kinds are those of the modules that were saved"
    network = load_network(yaml.safe_load(entry)["my_network"])
    outputs = layer_outputs(network.module, network.layers, BATCH)
    blocks = {f"blocks.{i}": (4, 4, 6, 6, 8, 8)[i] for i in range(6)}
    if saved[0] == "export":  # of one input size: the axes of some sums cannot be seen
        refused = {line.split()[0] for line in table.splitlines() if " refused: " in line}
        assert {"blocks.2", "blocks.3", "blocks.4"} <= refused
        blocks = {name: units for name, units in blocks.items() if name not in refused}
    assert {name: out.shape[1] for name, out in outputs.items()} == {"stem.0": 4, **blocks}


def test_code_in_files_needs_trust(saved, tmp_path):
    kind, factory = saved
    with pytest.raises(UserError, match=r"holds a program .* set `trust: true`"):
        load_network({"factory": factory})
    with pytest.raises(UserError, match="file not found"):
        load_network({"factory": f"{kind}:nowhere.pt", "trust": True})
    (tmp_path / "net.pt").write_bytes(b"no program")
    with pytest.raises(
        UserError, match=f"not a readable {'TorchScript' if kind != 'export' else 'torch.export'}"
    ):
        load_network({"factory": f"{kind}:{tmp_path}/net.pt", "trust": True})


def test_torchscript_has_outputs_only(model, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(model, BATCH).save(str(tmp_path / "net.pt"))
    loaded = load_network({"factory": f"torchscript:{tmp_path}/net.pt", "trust": True})
    with pytest.raises(UserError, match="no @input"):
        layer_outputs(loaded.module, "fc@input", BATCH)
    loaded.module.to("cpu", torch.float64)
    assert next(loaded.module.parameters()).dtype == torch.float64


def test_hub_names():
    with torch.device("meta"):
        spec = {"factory": "torchvision:squeezenet1_0", "weights": {"source": "random"}}
        found = load_network(spec, layers=["features.3"])
    assert found.layers == ["features.3"]
    with pytest.raises(UserError, match="did you mean 'resnet18'"):
        load_network({"factory": "torchvision:resnet_18"})


@pytest.mark.parametrize(
    ("factory", "place"),
    [
        ("torchvision:resnet18", "torchvision.models.get_model"),
        ("timm:resnet18", "timm.create_model"),
    ],
)
def test_a_hub_that_cannot_be_reached_is_a_sentence_with_the_fix(monkeypatch, factory, place):
    def offline(*given, **named):
        raise RuntimeError("download failed") from URLError("no route to host")

    monkeypatch.setattr(place, offline)
    with pytest.raises(UserError, match=r"--weights FILE .* or take random ones with --kwargs"):
        load_network({"factory": factory, "weights": {"source": "factory"}})


def test_timm_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserError, match=r"package timm is needed for timm:resnet18 .*\[timm\]"):
        load_network({"factory": "timm:resnet18"})


def test_timm_by_name():
    layers = {"test_vit": "blocks.*.mlp.fc1", "test_resnet": "layer*"}
    for name, pattern in layers.items():
        spec = {"factory": f"timm:{name}", "weights": {"source": "random"}, "layers": [pattern]}
        loaded = load_network({**spec, "kwargs": {"num_classes": 3}})
        batch = torch.rand(2, 3, 160, 160)
        outputs = layer_outputs(loaded.module, loaded.layers, batch)
        maps = {layer: loaded.layout.maps(out, layer)[0] for layer, out in outputs.items()}
        assert len(maps) > 1
        assert all(m.ndim == 4 and m.shape[2] == m.shape[3] > 1 for m in maps.values())
        assert loaded.module(batch).shape == (2, 3)
    with pytest.raises(UserError, match="unknown network 'resnet_18' in timm; did you mean"):
        load_network({"factory": "timm:resnet_18"})


def test_huggingface(tmp_path, monkeypatch):
    from transformers import Dinov2Config, Dinov2Model

    tiny = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 4}
    torch.manual_seed(0)
    source = Dinov2Model(Dinov2Config(image_size=16, **tiny))
    source.save_pretrained(tmp_path)
    layer = "encoder.layer.0.mlp.fc1"
    spec = {"factory": f"hf:{tmp_path}", "weights": {"source": "factory"}, "layers": [layer]}
    batch = BATCH[:, :, :16, :16]
    expected = layer_outputs(source, layer, batch)[layer]
    loaded = load_network(spec)
    assert torch.allclose(layer_outputs(loaded.module, layer, batch)[layer], expected, atol=1e-5)
    assert loaded.layout.maps(expected, layer)[0].shape == (3, 64, 4, 4)
    random = load_network({**spec, "weights": {"source": "random"}})
    assert not torch.equal(layer_outputs(random.module, layer, batch)[layer], expected)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match=r"hf:nowhere/at-all cannot be loaded.*--weights FILE"):
        load_network({"factory": "hf:nowhere/at-all", "weights": {"source": "factory"}})
    with pytest.raises(UserError, match="no model class 'Dinov9'"):
        load_network(
            {
                "factory": "milan_core.networks.adapters.huggingface:vision_model",
                "kwargs": {"architecture": "Dinov9", "config": {}},
            }
        )


def test_every_damaged_byte_of_tensors_is_noticed(tmp_path):
    """torch does not look at the checksums of its own files."""
    state = {"weight": torch.arange(64.0), "bias": torch.ones(3)}
    path = tmp_path / "w.pth"
    torch.save(state, path)
    good = path.read_bytes()
    start = good.index(torch.arange(64.0).numpy().tobytes())
    for position in range(start, start + 256, 5):
        changed = bytearray(good)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        with pytest.raises(UserError, match="damaged"):
            read_state_dict(path)


def test_files_without_checksums_are_read(tmp_path, monkeypatch):
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    torch.save({"weight": torch.ones(3)}, tmp_path / "w.pth")
    torch.serialization.set_crc32_options(before)
    assert read_state_dict(tmp_path / "w.pth")["weight"].tolist() == [1, 1, 1]


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path, caplog):
    """transformers fills what is missing with random numbers; names of another program are all."""
    from transformers import ViTConfig, ViTForImageClassification

    tiny = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    source = ViTForImageClassification(
        ViTConfig(**tiny, intermediate_size=16, image_size=32, patch_size=16)
    )
    source.save_pretrained(tmp_path)
    first, second = (hub_model(str(tmp_path)).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not first["pooler.dense.weight"].any()
    assert "has no weights of pooler.dense.bias, pooler.dense.weight; they are zero" in caplog.text
    whole = load_file(tmp_path / "model.safetensors")
    for state in (
        {key: tensor for key, tensor in whole.items() if "layer.1." not in key},
        {f"backbone.{key}": tensor for key, tensor in whole.items()},
    ):
        save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
        with pytest.raises(UserError, match=r"it lacks \d+ weights, the first being"):
            hub_model(str(tmp_path))
