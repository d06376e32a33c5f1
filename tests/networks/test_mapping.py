"""Names of published weight files, and BigGAN's two formats."""

import numpy as np
import pytest
import torch
from standins.weights import published_name
from torch import nn

from milan_core.core.errors import UserError
from milan_core.core.options import parse
from milan_core.exemplars.mine import mine
from milan_core.networks.adapters.biggan import EMBEDDING, generator
from milan_core.networks.adapters.biggan_keys import to_generator
from milan_core.networks.catalog import network_entry
from milan_core.networks.mapping import mapped
from milan_core.networks.options import InputSpec
from milan_core.networks.weight_options import DownloadWeights, StoredWeights
from milan_core.networks.weights import load_weights
from milan_core.networks.zoo import load_network


def names(name, old):
    """The names of `old` after the mapping of a built-in network."""
    weights = network_entry(name)["weights"]
    state = {key: torch.zeros(1) for key in old}
    reading = parse(DownloadWeights, weights, name)
    return list(mapped(state, nn.Identity(), reading, "file"))


def test_names_of_published_files():
    old = "features.denseblock1.denselayer1."
    got = names("densenet121_imagenet", [f"{old}norm.1.weight", f"{old}conv.2.weight", "norm.1.x"])
    assert got == [f"{old}norm1.weight", f"{old}conv2.weight", "norm.1.x"]
    assert names("vgg16_imagenet_blurred", ["features.module.0.weight", "classifier.0.bias"]) == [
        "features.0.weight",
        "classifier.0.bias",
    ]
    clip = ["logit_scale", "text_model.x", "visual_projection.weight", "vision_model.a.b"]
    assert names("clip_vit_b32", clip) == ["a.b"]


def test_names_of_dinov2_fit_the_pinned_library():
    with torch.device("meta"):
        wanted = load_network("dinov2_vitb14", weights={"source": "random"}).module.state_dict()
    published = [
        key.replace("attention.o_proj", "attention.output.dense")
        .replace("attention.q_proj", "attention.attention.query")
        .replace("attention.k_proj", "attention.attention.key")
        .replace("attention.v_proj", "attention.attention.value")
        for key in wanted
    ]
    assert "encoder.layer.0.attention.attention.query.weight" in published
    assert names("dinov2_vitb14", published) == list(wanted)


def test_names_of_clip_fit_the_pinned_library():
    """The whole file of text and images, as published: only the vision tower is read."""
    with torch.device("meta"):
        wanted = load_network("clip_vit_b32", weights={"source": "random"}).module.state_dict()
    vision = [f"vision_model.{key}" for key in wanted]
    others = ["logit_scale", "visual_projection.weight", "text_projection.weight"]
    others += ["text_model.embeddings.token_embedding.weight", "text_model.final_layer_norm.bias"]
    positions = [f"{tower}_model.embeddings.position_ids" for tower in ("vision", "text")]
    assert "vision_model.pre_layrnorm.weight" in vision
    assert "vision_model.encoder.layers.11.self_attn.q_proj.weight" in vision
    assert names("clip_vit_b32", [*others, *positions, *vision]) == list(wanted)


def test_tensors_in_order(tmp_path):
    source, target = nn.Linear(3, 2), nn.Linear(3, 2)
    path = tmp_path / "w.npz"
    np.savez(path, fc8a_w=source.weight.detach().numpy(), fc8a_b=source.bias.detach().numpy())
    load_weights(target, path, StoredWeights(match="order"))
    assert torch.equal(target.weight, source.weight)
    with pytest.raises(UserError, match=r"fc8a_w \(2, 3\) comes where weight \(3, 2\) is due"):
        load_weights(nn.Linear(2, 3), path, StoredWeights(match="order"))
    with pytest.raises(UserError, match="hold 2 tensors, Identity has 0"):
        load_weights(nn.Identity(), path, StoredWeights(match="order"))
    with pytest.raises(UserError, match="two tensors the name 'x'"):
        load_weights(target, path, StoredWeights(keys={".*_.": "x"}))
    with pytest.raises(UserError, match="not a regular expression"):
        load_weights(target, path, StoredWeights(keys={"(": ""}))


@pytest.fixture(scope="module")
def gan():
    """A generator with few channels whose statistics and attention are not those of the start."""
    torch.manual_seed(0)
    model = generator(channels=8, classes=5).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    nn.init.constant_(model.attn4.gamma, 0.5)
    return model


def codes(count, classes=5):
    rng = np.random.default_rng(0)
    drawn = [rng.normal(size=(count, 140)), rng.integers(0, classes, (count, 1))]
    return np.concatenate(drawn, axis=1).astype(np.float32)


def published(model):
    """The generator under the names of BigGAN-PyTorch, each weight scaled, with its `u0`."""
    state = {published_name(key): tensor.clone() for key, tensor in model.state_dict().items()}
    for key in [k for k in state if k.endswith(".weight") and state[k].ndim in (2, 4)]:
        if key != "shared.weight":
            matrix = state[key].flatten(1)
            left = torch.linalg.svd(matrix, full_matrices=False)[0][:, 0]
            state[key.replace(".weight", ".u0")] = left[None]
            state[key.replace(".weight", ".sv0")] = torch.ones(1)
    return state


def test_published_names_of_a_generator(gan):
    """Written out, because the stand-ins and the tests here take them from one table."""
    assert {
        *("shared.weight", "linear.weight", "linear.bias", "linear.u0"),
        *("blocks.0.0.conv1.weight", "blocks.0.0.conv1.u0", "blocks.5.0.conv_sc.bias"),
        *("blocks.2.0.bn1.gain.weight", "blocks.2.0.bn1.stored_mean", "blocks.3.0.bn2.stored_var"),
        *("blocks.4.1.theta.weight", "blocks.4.1.o.u0", "blocks.4.1.gamma"),
        *("output_layer.0.gain", "output_layer.0.stored_var", "output_layer.2.weight"),
    } <= set(published(gan))


def normed(model):
    """The same generator with every weight divided by its largest singular value."""
    state = model.state_dict()
    for key, tensor in state.items():
        if key.endswith(".weight") and tensor.ndim in (2, 4) and key != "shared.weight":
            state[key] = tensor / torch.linalg.matrix_norm(tensor.flatten(1), 2)
    other = generator(channels=8, classes=5).eval()
    other.load_state_dict(state)
    return other


def test_biggan_pytorch_keys(gan):
    target = generator(channels=8, classes=5).eval()
    missing = target.load_state_dict(to_generator(published(gan)), strict=False).missing_keys
    assert all(key.endswith("num_batches_tracked") for key in missing)
    z = torch.from_numpy(codes(2))
    with torch.no_grad():
        expected, got = normed(gan)(z), target(z)
    assert got.shape == (2, 3, 256, 256)
    assert torch.allclose(got, expected, atol=1e-4)
    assert float(got.std()) > 0.01


def hub(state):
    """BigGAN-PyTorch's tensors as variables of the TF-Hub module: channels last, code first."""
    part = {"weight": "w", "bias": "b", "u0": "u0"}
    result = {}
    for key, tensor in state.items():
        pieces = key.split(".")
        last = pieces[-1]
        if last in ("sv0", "num_batches_tracked"):
            continue
        if key == "shared.weight":
            name, value = "linear/w", tensor
        elif pieces[0] == "linear":
            name = f"Generator/G_Z/G_linear/{part[last]}"
            rows = tensor.reshape(-1, 16, tensor.shape[1] if last == "weight" else 1)
            value = rows.transpose(0, 1).reshape(-1, rows.shape[2])
            value = value.T if last == "weight" else value.reshape(-1)
        elif pieces[0] == "output_layer":
            title = {"gain": "gamma", "bias": "beta"}.get(
                last, last.replace("stored", "accumulated")
            )
            middle = "bn" if "stored" in last else ""
            name = f"Generator/ScaledCrossReplicaBN{middle}/{title}"
            value = tensor
            if pieces[1] == "2":
                name = f"Generator/conv_2d/{part[last]}"
                value = tensor.permute(2, 3, 1, 0) if tensor.ndim == 4 else tensor
        elif pieces[2] == "1":
            layer = "o_conv" if pieces[3] == "o" else pieces[3]
            name = "Generator/attention/" + (
                "gamma" if layer == "gamma" else f"{layer}/{part[last]}"
            )
            value = tensor.permute(2, 3, 1, 0) if tensor.ndim == 4 else tensor
        else:
            block = "Generator/GBlock" + (f"_{pieces[1]}" if pieces[1] != "0" else "")
            layer = {"conv1": "conv0", "conv2": "conv1"}.get(pieces[3], pieces[3])
            name, value = f"{block}/{layer}/{part.get(last)}", tensor
            if tensor.ndim == 4:
                value = tensor.permute(2, 3, 1, 0)
            if layer.startswith("bn"):
                suffix = "_1" if layer == "bn2" else ""
                if "stored" in last:
                    name = f"{block}/CrossReplicaBN{suffix}/{last.replace('stored', 'accumulated')}"
                else:
                    side = {"gain": "gamma", "bias": "beta"}[pieces[4]]
                    name = f"{block}/HyperBN{suffix}/{side}/{part[last]}"
                    if last == "weight":
                        turned = torch.cat([tensor[:, EMBEDDING:], tensor[:, :EMBEDDING]], 1)
                        value = turned.T
        averaged = "/ema_b999900" if name.rpartition("/")[2] in ("w", "b", "gamma", "beta") else ""
        result[f"module/{name}{averaged}:0"] = value.contiguous()
        if averaged:
            result[f"module/{name}:0"] = torch.full_like(value, 7.0)  # the last, not the averaged
    return result


def test_biggan_hub_variables(gan):
    direct = to_generator(published(gan))
    through = to_generator(hub(published(gan)))
    assert set(direct) == set(through)
    for key, tensor in direct.items():
        assert torch.allclose(through[key], tensor, atol=1e-6), key


def test_other_weights_are_no_generator():
    with pytest.raises(UserError, match="no BigGAN weights"):
        to_generator({"conv1.weight": torch.zeros(1)})


def test_generators_are_mined_by_their_codes(gan):
    spec = InputSpec(size=256, kind="latents")
    drawn = codes(5)
    found = mine(gan, drawn, ["layer0", "layer1"], k=2, batch_size=2, input=spec)
    assert found.units == {"layer0": 128, "layer1": 64}
    with torch.no_grad():
        chunks = torch.from_numpy(drawn[:, :140]).split(20, 1)
        start = gan.linear(chunks[0]).view(-1, 128, 4, 4)
        condition = torch.cat([gan.shared(torch.from_numpy(drawn[:, -1]).long()), chunks[1]], 1)
        peaks = gan.layer0(start, condition).amax((2, 3))
    assert np.allclose(found.activations("layer0")[:, 0], peaks.max(0).values, atol=1e-4)
    with pytest.raises(UserError, match="probed with latent codes"):
        mine(gan, torch.zeros(4, 3, 8, 8), "layer0", k=2, input=spec)
    with pytest.raises(UserError, match="classes run from 5 to 5; this generator has 5"):
        gan(torch.from_numpy(np.full((1, 141), 5, np.float32)))
    with pytest.raises(UserError, match="multiple of 8"):
        generator(channels=12)


@pytest.mark.parametrize("file", ["biggan_imagenet.pth", "variables.npz"])
def test_biggan_hub_variables_in_a_file(gan, tmp_path, file):
    """The content says what a file is: variables may lie under the name that the entry asks for."""
    with (tmp_path / file).open("wb") as handle:
        np.savez(handle, **{key: value.numpy() for key, value in hub(published(gan)).items()})
    weights = {"path": str(tmp_path / file)}
    kwargs = {"channels": 8, "classes": 5}
    loaded = load_network("biggan_imagenet", weights=weights, kwargs=kwargs).module
    for key, tensor in to_generator(published(gan)).items():
        assert torch.allclose(loaded.state_dict()[key], tensor, atol=1e-6), key
